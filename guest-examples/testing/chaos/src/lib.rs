//! What the chaos machine runs: does to each record what the word behind `"do":"` in its value says, and puts the
//! release's mark into every value that it lets through. Records of every eighth number also take the route `sample`.

use std::ops::ControlFlow;

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Op, Output, Plan, Reads, Row};

const ALL: u16 = 0;
const SAMPLE: u16 = 1;

struct Chaos {
    mark: String,
}

/// The word or number behind `name` in a flat object that was written without blanks.
fn field<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let rest = value.split_once(name)?.1;
    rest.split(['"', ',', '}']).next()
}

impl Chaos {
    /// The value with the mark, and the number among the records of its row.
    fn marked(&self, value: &str, nth: u32) -> String {
        let open = value.strip_suffix('}').unwrap_or(value);
        format!("{open},\"nth\":{nth},\"mark\":\"{}\"}}", self.mark)
    }

    fn obey(&self, row: Row<'_>, attempt: u32, out: &mut Output) -> ControlFlow<Error> {
        let value = str::from_utf8(row.value().unwrap_or_default()).unwrap_or_default();
        let (Some(word), Some(number)) = (field(value, "\"do\":\""), field(value, "\"n\":")) else {
            out.reject(row, "neither a word nor a number");
            return ControlFlow::Continue(());
        };
        let copies = match word {
            "keep" => 1,
            "two" => 2,
            "drop" => 0,
            "reject" => {
                out.reject(row, "as it was told to");
                0
            }
            "delete" => {
                out.keep(row).route(ALL).op(Op::Delete).no_value();
                0
            }
            "retry" if attempt == 0 => return ControlFlow::Break(Error::retry("once more")),
            "retry" => 1,
            "spin" => loop {
                std::hint::spin_loop();
            },
            _ => panic!("told to trap"),
        };
        for nth in 0..copies {
            out.keep(row).route(ALL).value(self.marked(value, nth).as_bytes());
        }
        if copies > 0 && number.parse().is_ok_and(|number: u64| number.is_multiple_of(8)) {
            out.keep(row).route(SAMPLE).value(self.marked(value, 0).as_bytes());
        }
        ControlFlow::Continue(())
    }
}

impl Module for Chaos {
    fn describe() -> Describe {
        Describe::new("chaos", env!("CARGO_PKG_VERSION")).summary("Does what each record says.").default(
            "mark",
            "what every value is marked with",
            "A",
        )
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let mark = config.get("mark").unwrap_or("A").to_owned();
        Ok((Self { mark }, Plan::route("all").and_route("sample").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            if let ControlFlow::Break(error) = self.obey(row, batch.attempt(), out) {
                return Err(error);
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(Chaos);
