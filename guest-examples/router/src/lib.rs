//! Routes JSON records by a field: a route for each value that the settings name, and one for the others.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, json::Editor};

struct Router {
    field: String,
    routes: Vec<String>,
    target: Option<String>,
}

impl Module for Router {
    fn describe() -> Describe {
        Describe::new("router", env!("CARGO_PKG_VERSION"))
            .summary("Routes JSON records by the value of a field.")
            .required("field", "the field to look at")
            .required("routes", "values that have a route of their own name, between commas")
            .default("other", "the route of all others", "other")
            .optional("target", "a field that names the target inside the sink: topic, index or key")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let field = config.required("field")?.to_owned();
        config.required("routes")?;
        let routes: Vec<String> = config.list("routes").into_iter().map(str::to_owned).collect();
        // The others come first: they are the first route.
        let plan = Plan::route(config.get("other").unwrap_or("other")).reads(Reads::VALUES);
        let plan = routes.iter().fold(plan, |plan, route| plan.and_route(route));
        let target = config.get("target").map(str::to_owned);
        Ok((Self { field, routes, target }, plan))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        let mut editor = Editor::default();
        for row in batch.rows() {
            let fields = match editor.object(row.value().unwrap_or_default()) {
                Ok(fields) => fields,
                Err(error) => {
                    out.reject(row, format!("not a JSON object: {error}"));
                    continue;
                }
            };
            let value = fields.get([&self.field]);
            let route = value.and_then(|value| self.routes.iter().position(|route| value.is(route)));
            let sent = out.keep(row).route(route.map_or(0, |route| route as u16 + 1));
            let target = self.target.as_ref().and_then(|target| fields.get([target])?.text());
            if let Some(target) = target {
                sent.target(&target);
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(Router);
