//! Whose client is used: what a pipeline asks for, and what was found out since.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use super::options::Unsupported;
use crate::kafka::KafkaError;

/// What direct clients stand on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Runs their tasks.
    pub runtime: tokio::runtime::Handle,
    pub unfit: Unfit,
}

/// Whether a cluster of a pipeline turned out to need librdkafka: an old broker, or records in an old format. Clones are
/// the same; the next client is chosen by it.
#[derive(Clone, Debug, Default)]
pub struct Unfit(Arc<AtomicBool>);

impl Unfit {
    pub(super) fn note(&self) {
        self.0.store(true, SeqCst);
    }

    fn is_noted(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// Who speaks to the brokers where records move.
#[derive(Clone, Debug)]
pub enum Choice {
    Librdkafka,
    /// The direct path; librdkafka where it does not do what the properties or the brokers ask for.
    Auto(Ground),
    /// The direct path, or an error.
    Direct(Ground),
}

impl Choice {
    /// Starts a direct client, where it is one; `call` names in errors what it is for.
    ///
    /// # Errors
    /// It has to be one and cannot.
    pub fn start<T>(
        &self,
        call: &'static str,
        start: impl FnOnce(&Ground) -> Result<T, Unsupported>,
    ) -> Result<Option<T>, KafkaError> {
        let (ground, must) = match self {
            Self::Librdkafka => return Ok(None),
            Self::Auto(ground) => (ground, false),
            Self::Direct(ground) => (ground, true),
        };
        if !must && ground.unfit.is_noted() {
            return Ok(None);
        }
        match start(ground) {
            Ok(client) => Ok(Some(client)),
            Err(unsupported) if must => {
                Err(KafkaError::new(call, format!("{unsupported}; leave out `client: direct`")))
            }
            Err(unsupported) => {
                tracing::info!(reason = %unsupported, "librdkafka is to {call}");
                Ok(None)
            }
        }
    }
}
