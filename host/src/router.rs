//! The router: which sinks take the records of which of the module's routes. Pure; made once for a release.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::output::Record;

/// A module's plan and a pipeline's routes do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    #[error(
        "the module sends records to route `{route}`, which the pipeline does not map: add `{route}: [SINK]` to \
         `routes` (the pipeline maps {mapped})"
    )]
    Unmapped { route: String, mapped: String },
    #[error("route `{route}` names sink `{sink}`, which `sinks` does not define")]
    NoSink { route: String, sink: String },
}

/// For each sink, the routes that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// `takes[sink][route]`.
    takes: Vec<Vec<bool>>,
}

impl Router {
    /// `routes`: the module's plan, in its order. `map`: the pipeline's routes to sink names. `sinks`: the pipeline's
    /// sinks, in the order in which the lane holds them.
    ///
    /// # Errors
    /// A planned route without a sink, or a sink that is not there. A mapped route that the module does not plan is
    /// fine: the next release may.
    pub fn new(routes: &[String], map: &BTreeMap<String, Vec<String>>, sinks: &[String]) -> Result<Self, RouteError> {
        let mut takes = vec![vec![false; routes.len()]; sinks.len()];
        for (index, route) in routes.iter().enumerate() {
            let named = map.get(route).filter(|named| !named.is_empty()).ok_or_else(|| RouteError::Unmapped {
                route: route.clone(),
                mapped: map.keys().map(|route| format!("`{route}`")).collect::<Vec<_>>().join(", "),
            })?;
            for name in named.iter().collect::<BTreeSet<_>>() {
                let sink = sinks.iter().position(|sink| sink == name);
                let sink = sink.ok_or_else(|| RouteError::NoSink { route: route.clone(), sink: name.clone() })?;
                takes[sink][index] = true;
            }
        }
        Ok(Self { takes })
    }

    /// Number of sinks.
    pub fn sinks(&self) -> usize {
        self.takes.len()
    }

    /// Whether a sink takes a record. The route of a checked output exists.
    #[inline]
    pub fn takes(&self, sink: usize, record: &Record<'_>) -> bool {
        self.takes[sink][usize::from(record.route)]
    }

    /// Whether a sink takes any of these routes; an empty list means the first, as in [`crate::output::Output`].
    pub fn takes_any(&self, sink: usize, routes: &[u16]) -> bool {
        let takes = &self.takes[sink];
        if routes.is_empty() { takes[0] } else { routes.iter().any(|route| takes[usize::from(*route)]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(plan: &[&str], map: &[(&str, &[&str])]) -> Result<Router, RouteError> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let map = map.iter().map(|(route, sinks)| (route.to_string(), owned(sinks))).collect();
        Router::new(&owned(plan), &map, &owned(&["a", "b", "c"]))
    }

    #[test]
    fn a_route_fans_out_and_a_sink_takes_several_routes() {
        let router = router(&["x", "y"], &[("x", &["a", "b", "a"]), ("y", &["b"])]).expect("fits");
        let taken: Vec<_> =
            (0..3).map(|sink| [&[0][..], &[1], &[]].map(|routes| router.takes_any(sink, routes))).collect();
        assert_eq!(taken, [[true, false, true], [true, true, true], [false, false, false]]);
    }

    #[test]
    fn names_what_does_not_fit() {
        let said = |result: Result<Router, RouteError>| result.expect_err("must not fit").to_string();
        assert!(
            said(router(&["x", "z"], &[("x", &["a"])])).contains("add `z: [SINK]` to `routes` (the pipeline maps `x`)")
        );
        assert!(said(router(&["x"], &[("x", &[])])).contains("route `x`"));
        assert!(said(router(&["x"], &[("x", &["q"])])).contains("sink `q`"));
    }
}
