//! Sends every record to several routes, as it is: no value crosses into the module or back.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct FanOut {
    routes: u16,
}

impl Module for FanOut {
    fn describe() -> Describe {
        Describe::new("fan-out", env!("CARGO_PKG_VERSION"))
            .summary("Sends every record to several routes.")
            .required("routes", "the routes, between commas")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        config.required("routes")?;
        let names = config.list("routes");
        let routes = u16::try_from(names.len()).map_err(|_| "setting `routes` names more than 65535")?;
        let (first, others) = names.split_first().ok_or("setting `routes` names no route")?;
        let plan = others.iter().fold(Plan::route(first), |plan, route| plan.and_route(route));
        Ok((Self { routes }, plan.reads(Reads::NONE)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            for route in 0..self.routes {
                out.keep(row).route(route);
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(FanOut);
