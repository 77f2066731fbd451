//! The module's section.

use super::Check;
use crate::{
    config::{
        module::{Grants, ModuleRef, ModuleSpec},
        raw::{RawLimits, RawModule},
        value::At,
    },
    limits::Limits,
};

impl Check<'_> {
    pub(super) fn module(&mut self, raw: &At<RawModule>, pipeline: Option<&str>) -> Option<ModuleSpec> {
        let reference = self.required(raw.node, "ref", &raw.reference).map(|reference| match reference {
            ModuleRef::File(path) => ModuleRef::File(self.base.join(path)),
            pushed => pushed,
        });
        let config = raw.config.iter().flat_map(|config| config.iter());
        let config = config.filter_map(|(name, value)| Some((name.clone(), self.read(value)?.0))).collect();
        let limits = raw.limits.as_ref().map(|limits| self.limits(limits)).unwrap_or_default();
        let grants =
            raw.grants.as_ref().map_or_else(|| Some(Grants::default()), |grants| self.grants(grants, pipeline));
        Some(ModuleSpec { reference: reference?, config, limits, grants: grants? })
    }

    fn limits(&mut self, raw: &At<RawLimits>) -> Limits {
        let default = Limits::default();
        Limits {
            memory: self.optional(&raw.memory).map_or(default.memory, |memory| memory.0 as usize),
            time: self.optional(&raw.time).map_or(default.time, |time| time.0),
            output: self.optional(&raw.output).map_or(default.output, |output| output.0 as usize),
            output_records: self.optional(&raw.output_records).map_or(default.output_records, |count| count.0 as usize),
        }
    }
}
