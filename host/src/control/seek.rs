//! Where a pipeline goes on: `seek` moves its group, `fire` calls its timed trigger now.

use std::{collections::BTreeMap, time::Duration};

use super::{ControlError, controller::Inner, store::ReleaseRow};
use crate::pipeline::{Group, Moves, Places, SeekError, SeekTo};

/// How long what is in flight may take to be delivered before the lanes rest.
const DRAIN: Duration = Duration::from_secs(10);

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "`to` is a word, or offsets by topic and partition")]
pub enum SeekTarget {
    /// `earliest`, `latest`, an RFC 3339 time, or `release:N`: where that release began.
    Word(String),
    /// Next offsets by topic and partition; partitions that are not named stay where they are.
    Offsets(BTreeMap<String, BTreeMap<String, i64>>),
}

/// What a seek is asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeekRequest {
    pub to: SeekTarget,
    /// Says what it would do, and does nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a seek did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Sought {
    pub pipeline: String,
    pub moved: bool,
    /// By topic and partition; those that are not named stay where they are.
    #[schema(value_type = Object)]
    pub partitions: Moves,
    /// Batches that were in flight and not settled in time: they begin behind `from`, and may have been delivered.
    pub left: usize,
}

/// How often the timed trigger was called.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Fired {
    pub pipeline: String,
    /// Fires that are through since it was asked for; more than one where each lane fires.
    pub fires: u64,
}

/// What the words mean, before the releases are known.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    To(SeekTo),
    Release(u64),
}

impl SeekTarget {
    fn meant(&self) -> Result<Meant, ControlError> {
        let word = match self {
            Self::Offsets(offsets) => return Ok(Meant::To(SeekTo::Places(places(offsets)?))),
            Self::Word(word) => word.as_str(),
        };
        let release = word.strip_prefix("release:").map(str::parse);
        match (word, release) {
            ("earliest", _) => Ok(Meant::To(SeekTo::Earliest)),
            ("latest", _) => Ok(Meant::To(SeekTo::Latest)),
            (_, Some(Ok(release))) => Ok(Meant::Release(release)),
            _ => match word.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Meant::To(SeekTo::Time(time.as_millisecond()))),
                Err(_) => Err(ControlError::BadRequest(format!(
                    "`to` is `{word}`: write `earliest`, `latest`, a time such as `2026-01-31T12:00:00Z`, `release:N`, \
                     or offsets by topic and partition"
                ))),
            },
        }
    }
}

fn places(offsets: &BTreeMap<String, BTreeMap<String, i64>>) -> Result<Places, ControlError> {
    let number = |topic: &str, partition: &str| {
        let words = || format!("`to`: `{partition}` of topic `{topic}` is no number of a partition");
        partition.parse::<i32>().map_err(|_| ControlError::BadRequest(words()))
    };
    let mut places = Places::new();
    for (topic, partitions) in offsets {
        for (partition, offset) in partitions {
            places.entry(topic.clone()).or_default().insert(number(topic, partition)?, *offset);
        }
    }
    if places.is_empty() {
        return Err(ControlError::BadRequest("`to` names no partition".into()));
    }
    Ok(places)
}

impl Inner {
    pub(super) fn seek(&self, name: &str, request: &SeekRequest) -> Result<Sought, ControlError> {
        let meant = request.to.meant()?;
        let slot = self.slot(name)?;
        let _operation = slot.operation.lock();
        let (pipeline, live) = self.live(name)?;
        let spec = self.spec_of(&pipeline, &live)?;
        let group = Group::of(&spec)?;
        let (to, release) = match meant {
            Meant::To(to) => (to, None),
            Meant::Release(id) => {
                let releases = self.store.lock().releases(name)?;
                (SeekTo::Places(places_of(name, id, &releases)?), Some(id))
            }
        };
        let plan = || group.plan(&to).map_err(|error| gone(error, release));
        let sought = |moved, partitions, left| Sought { pipeline: name.to_owned(), moved, partitions, left };
        // Also a first look before anything is touched.
        let planned = plan()?;
        if request.dry_run {
            return Ok(sought(false, planned, 0));
        }
        let steer = slot.with(|pipeline| pipeline.steer());
        group.only_ours(steer.as_ref().map_or(0, |steer| steer.lanes()))?;
        let resting = steer.map(|steer| steer.rest(DRAIN)).transpose()?;
        group.empty()?;
        // Again: it went on until it came to rest.
        let moves = plan()?;
        group.apply(&moves)?;
        let left = resting.as_ref().map_or(0, |resting| resting.left);
        drop(resting);
        tracing::info!(pipeline = name, to = ?request.to, left, "sought");
        Ok(sought(true, moves, left))
    }

    pub(super) fn fire(&self, name: &str) -> Result<Fired, ControlError> {
        let steer = self.slot(name)?.with(|pipeline| pipeline.steer());
        let steer = steer.ok_or_else(|| ControlError::BadRequest(format!("pipeline `{name}` does not run")))?;
        let fires = steer.fire().map_err(ControlError::Fire)?;
        Ok(Fired { pipeline: name.to_owned(), fires })
    }
}

/// Where a release began, partition by partition. One that was given nothing of a partition began where the next
/// release that was given something did; where there is none, at what is to come: the partition stays.
fn places_of(pipeline: &str, id: u64, releases: &[ReleaseRow]) -> Result<Places, ControlError> {
    if !releases.iter().any(|release| release.id == id) {
        return Err(ControlError::NotFound {
            what: "release",
            name: id.to_string(),
            hint: format!(" of pipeline `{pipeline}`: `wasmill releases {pipeline}` lists them"),
        });
    }
    let mut later: Vec<&ReleaseRow> = releases.iter().filter(|release| release.id >= id).collect();
    later.sort_by_key(|release| release.id);
    let mut places = Places::new();
    for (topic, partitions) in later.iter().flat_map(|release| &release.began) {
        let known: &mut BTreeMap<i32, i64> = places.entry(topic.clone()).or_default();
        for (partition, offset) in partitions {
            known.entry(*partition).or_insert(*offset);
        }
    }
    Ok(places)
}

fn gone(error: SeekError, release: Option<u64>) -> ControlError {
    match (error, release) {
        (SeekError::Range { topic, partition, to, low, .. }, Some(release)) if to < low => {
            ControlError::Gone { release, topic, partition, began: to, low }
        }
        (error, _) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{control::store::ReleaseState, pipeline::ModuleId};

    fn release(id: u64, began: &[(i32, i64)]) -> ReleaseRow {
        ReleaseRow {
            pipeline: "p".into(),
            id,
            module: ModuleId { name: "m".into(), version: "1".into(), digest: "sha256:0".into() },
            spec: String::new(),
            config: None,
            state: ReleaseState::Retired,
            reason: None,
            created_at: String::new(),
            began: BTreeMap::from([("t".into(), began.iter().copied().collect())]),
        }
    }

    #[test]
    fn a_release_began_where_the_next_one_did_of_what_it_was_not_given() {
        let releases = [release(3, &[(0, 70), (1, 40), (2, 9)]), release(2, &[(0, 50)]), release(1, &[(0, 0), (1, 0)])];
        let places = |id| places_of("p", id, &releases).expect("a release")["t"].clone();
        assert_eq!(places(1), BTreeMap::from([(0, 0), (1, 0), (2, 9)]));
        assert_eq!(places(2), BTreeMap::from([(0, 50), (1, 40), (2, 9)]));
        assert_eq!(places(3), BTreeMap::from([(0, 70), (1, 40), (2, 9)]));
        let missing = places_of("p", 4, &releases).expect_err("no such release");
        assert!(missing.to_string().contains("`wasmill releases p` lists them"), "{missing}");
    }

    #[test]
    fn targets_are_read_and_mistakes_say_what_to_write() {
        let meant = |word: &str| SeekTarget::Word(word.into()).meant();
        assert_eq!(meant("earliest").expect("read"), Meant::To(SeekTo::Earliest));
        assert_eq!(meant("1970-01-01T00:00:01Z").expect("read"), Meant::To(SeekTo::Time(1000)));
        assert_eq!(meant("release:12").expect("read"), Meant::Release(12));
        for bad in ["", "sooner", "release:", "release:-1", "release:x", "2026-01-31"] {
            assert!(meant(bad).expect_err("refused").to_string().contains("`release:N`"), "{bad}");
        }
    }
}
