//! What a consumer is in its group, as the group's coordinator has to know it of a transaction with its offsets (KIP-447).

use std::ptr::NonNull;

use rdkafka_sys as sys;

use super::{Consumer, KafkaError, producer::c_text};

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub group: String,
    /// Of the assignment.
    pub generation: i32,
    pub member: String,
    /// Of a static member (KIP-345).
    pub instance: Option<String>,
}

/// The same in librdkafka's form.
pub(super) struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: a copy of its own, which nobody else knows.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    pub(super) fn of(consumer: &Consumer) -> Option<Self> {
        // SAFETY: the consumer is alive.
        NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(consumer.native()) }).map(Self)
    }

    pub(super) fn raw(&self) -> *const sys::rd_kafka_consumer_group_metadata_t {
        self.0.as_ptr()
    }

    fn read(&self) -> Membership {
        // SAFETY: alive for the calls; the texts are its own, and copied.
        unsafe {
            let instance = sys::rd_kafka_consumer_group_metadata_group_instance_id(self.raw());
            Membership {
                group: c_text(sys::rd_kafka_consumer_group_metadata_group_id(self.raw())),
                generation: sys::rd_kafka_consumer_group_metadata_generation_id(self.raw()),
                member: c_text(sys::rd_kafka_consumer_group_metadata_member_id(self.raw())),
                instance: (!instance.is_null()).then(|| c_text(instance)),
            }
        }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

impl Consumer {
    /// What it is in its group now: it changes with every rebalance.
    ///
    /// # Errors
    /// It is no member, or no longer: brokers take offsets of nobody in particular, so nobody would be fenced.
    pub fn membership(&self) -> Result<Membership, KafkaError> {
        let membership = GroupMetadata::of(self).map(|metadata| metadata.read());
        let member = membership.filter(|found| found.generation >= 0 && !found.member.is_empty());
        member.ok_or_else(|| KafkaError::new("ask for the membership", "the consumer is no member of its group"))
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::CString, ptr};

    use super::*;

    fn read(instance: Option<&str>) -> Membership {
        let text = |text: &str| CString::new(text).expect("no null byte");
        let (group, member, instance) = (text("g"), text("m"), instance.map(text));
        // SAFETY: the texts outlive the call, which copies them.
        let raw = unsafe {
            let instance = instance.as_ref().map_or(ptr::null(), |instance| instance.as_ptr());
            sys::rd_kafka_consumer_group_metadata_new_with_genid(group.as_ptr(), 7, member.as_ptr(), instance)
        };
        GroupMetadata(NonNull::new(raw).expect("metadata")).read()
    }

    #[test]
    fn librdkafka_says_what_a_member_is() {
        let dynamic = Membership { group: "g".into(), generation: 7, member: "m".into(), instance: None };
        assert_eq!(read(None), dynamic);
        assert_eq!(read(Some("i")), Membership { instance: Some("i".into()), ..dynamic });
    }
}
