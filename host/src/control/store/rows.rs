//! The rows of the store.

use std::collections::BTreeMap;

use crate::{engine::Description, pipeline::ModuleId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct ModuleRow {
    pub(in crate::control) id: ModuleId,
    /// RFC 3339.
    pub(in crate::control) uploaded_at: String,
    pub(in crate::control) description: Description,
    pub(in crate::control) world: String,
    pub(in crate::control) imports: Vec<String>,
    /// Size of the upload.
    pub(in crate::control) bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct PipelineRow {
    pub(in crate::control) name: String,
    /// As it was sent: with its variables unresolved.
    pub(in crate::control) spec: String,
    /// Folder that relative paths of the spec start at.
    pub(in crate::control) base: String,
    pub(in crate::control) paused: bool,
    /// The text that was applied last, which patches have changed since.
    pub(in crate::control) applied: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    Live,
    /// It was live.
    Retired,
    /// It was refused; another stayed live.
    Failed,
}

impl ReleaseState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Retired => "retired",
            Self::Failed => "failed",
        }
    }

    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "live" => Self::Live,
            "failed" => Self::Failed,
            _ => Self::Retired,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct ReleaseRow {
    pub(in crate::control) pipeline: String,
    pub(in crate::control) id: u64,
    pub(in crate::control) module: ModuleId,
    pub(in crate::control) spec: String,
    /// Settings given at the swap in place of the spec's.
    pub(in crate::control) config: Option<BTreeMap<String, String>>,
    pub(in crate::control) state: ReleaseState,
    pub(in crate::control) reason: Option<String>,
    /// RFC 3339.
    pub(in crate::control) created_at: String,
    /// Topic, partition, offset of its first record.
    pub(in crate::control) began: BTreeMap<String, BTreeMap<i32, i64>>,
}
