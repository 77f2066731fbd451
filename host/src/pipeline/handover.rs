//! What a swap leaves to do once a lane has its next release: to say where that begins, and to let go of the one before.
//!
//! Both wake other threads, and letting go changes the address space that the lane works in. Where processors are few
//! that takes the lane's, so that its next batch would wait: it is done behind that batch.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{release::Release, shared::Shared};
use crate::{engine::Instance, kafka::Partition};

/// A release that a lane runs no more, with the lane's instance of it. Where nobody else holds the release, its code ends
/// with this.
pub(super) type Former = (Arc<Release>, Option<Instance>);

/// Swaps that a lane is not done with: at most those of one turn of its loop.
#[derive(Default)]
pub(super) struct Handover {
    former: Vec<Former>,
    /// Release, partition, and the offset of the first record.
    begins: Vec<(u64, Partition, i64)>,
}

impl Handover {
    pub(super) fn note(&mut self, former: Former, release: u64, begins: impl Iterator<Item = (Partition, i64)>) {
        self.former.push(former);
        self.begins.extend(begins.map(|(partition, next)| (release, partition, next)));
    }

    /// Does what is left to do, if anything.
    pub(super) fn conclude(&mut self, shared: &Shared, runtime: &Handle) {
        if self.former.is_empty() {
            return;
        }
        self.begins.drain(..).for_each(|(release, partition, next)| shared.began(release, &partition, next));
        let former = std::mem::take(&mut self.former);
        runtime.spawn_blocking(move || drop(former));
    }
}
