//! The timed trigger's section.

use super::Check;
use crate::config::{
    pipeline::KafkaSource,
    raw::RawTimer,
    timer::{Schedule, Timer, TimerScope},
    topics::is_pattern,
    value::At,
};

impl Check<'_> {
    pub(super) fn timer(&mut self, raw: &At<RawTimer>, source: Option<&KafkaSource>) -> Option<Timer> {
        let every = self.optional(&raw.every).map(|every| every.0);
        let cron = self.optional(&raw.cron);
        let zone = self.optional(&raw.timezone);
        let scope = self.optional(&raw.scope).map(|scope| scope.0).unwrap_or_default();
        if let (Some(_), Some(timezone)) = (&raw.every, &raw.timezone) {
            let help = "`every` counts from the Unix epoch: leave the time zone out, or write `cron`".to_owned();
            self.key_problem(timezone.node, "a time zone belongs to `cron`", Some(help));
        }
        let schedule = match (&raw.every, &raw.cron) {
            (Some(_), None) => every.map(Schedule::Every),
            (None, Some(node)) => {
                let cron = match zone {
                    Some(zone) => cron.map(|cron| cron.in_zone(zone)),
                    None => cron,
                };
                // It has no years, so what fires at all fires after any time.
                if cron.as_ref().is_some_and(|cron| cron.next(0).is_none()) {
                    let help = "no month that it names has such a day".to_owned();
                    self.problem(node.node, "the expression never fires", Some(help));
                }
                cron.map(|cron| Schedule::Cron(Box::new(cron)))
            }
            _ => {
                let help = "write `every: 30s`, or `cron: \"0 */5 * * * *\"`".to_owned();
                self.key_problem(raw.node, "expected one of `every` and `cron`", Some(help));
                None
            }
        };
        let first = source.and_then(|source| source.topics.first());
        if let (TimerScope::Pipeline, Some(topic)) = (scope, first)
            && is_pattern(topic)
        {
            let message = "one lane is to fire, and none can be told by a pattern of topics";
            let help = "put a topic by its name first in `topics`, or write `scope: lane`".to_owned();
            self.key_problem(raw.node, message, Some(help));
        }
        Some(Timer { schedule: schedule?, scope })
    }
}
