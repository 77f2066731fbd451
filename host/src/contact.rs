//! Whether a server was reached that a pipeline needs.

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Made,
    /// It goes on trying; why the last attempt failed, if there was one.
    Waits(Option<String>),
    /// Not in this way, but another one may do: the lane is to start over.
    Over(String),
    /// A person has to look.
    Failed(String),
}

impl Contact {
    /// The graver of two.
    pub(crate) fn and(self, other: Self) -> Self {
        let gravity = |contact: &Self| match contact {
            Self::Made => 0,
            Self::Waits(None) => 1,
            Self::Waits(Some(_)) => 2,
            Self::Over(_) => 3,
            Self::Failed(_) => 4,
        };
        if gravity(&other) > gravity(&self) { other } else { self }
    }

    /// With words in front of its reason.
    pub(crate) fn said_by(self, who: &str) -> Self {
        match self {
            Self::Waits(Some(reason)) => Self::Waits(Some(format!("{who}: {reason}"))),
            Self::Over(reason) => Self::Over(format!("{who}: {reason}")),
            Self::Failed(reason) => Self::Failed(format!("{who}: {reason}")),
            other => other,
        }
    }
}
