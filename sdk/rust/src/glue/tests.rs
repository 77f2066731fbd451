use columns::Guest as _;
use meta::Guest as _;

use super::*;
use crate::{
    Describe, Plan, Reads,
    testing::{Record, batch},
};

/// Does what its setting `say` tells, and counts its batches.
struct Teller {
    say: String,
    batches: u32,
}

impl Module for Teller {
    fn describe() -> Describe {
        Describe::new("teller", "1").required("say", "what to answer")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let say = config.required("say")?.to_owned();
        Ok((Self { say, batches: 0 }, Plan::route("a").and_route("b").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        self.batches += 1;
        match self.say.as_str() {
            "retry" => return Err(Error::retry("not yet")),
            "fatal" => return Err(Error::fatal("never")),
            "mistake" => {
                out.keep(batch.row(1));
                out.keep(batch.row(0));
            }
            _ => {
                for _ in 0..self.batches {
                    out.keep(batch.row(0));
                }
            }
        }
        Ok(())
    }
}

type Answers = Exported<Teller>;

fn transform() -> Result<columns::Output, columns::Error> {
    Answers::transform(batch(&[Record::value("x"), Record::value("y")]).raw)
}

fn init(say: &str) {
    Answers::init(vec![("say".into(), say.into())]).expect("it starts");
}

#[test]
fn the_plan_crosses_as_it_was_made_and_a_refusal_in_its_words() {
    assert_eq!(Answers::describe().settings.len(), 1);
    let plan = Answers::init(vec![("say".into(), "".into())]).expect("a plan");
    assert_eq!((plan.routes, plan.reads), (vec!["a".to_owned(), "b".to_owned()], meta::Reads::VALUES));
    assert_eq!(Answers::init(vec![]).expect_err("a refusal"), "setting `say` is required");
}

#[test]
fn a_batch_before_init_stops() {
    let Err(columns::Error::Fatal(reason)) = transform() else { panic!("no instance could answer") };
    assert_eq!(reason, "transform was called before init");
}

#[test]
fn errors_of_the_module_keep_their_kind_and_a_mistake_is_fatal() {
    init("retry");
    assert!(matches!(transform(), Err(columns::Error::Retry(reason)) if reason == "not yet"));
    init("fatal");
    assert!(matches!(transform(), Err(columns::Error::Fatal(reason)) if reason == "never"));
    init("mistake");
    let Err(columns::Error::Fatal(reason)) = transform() else { panic!("rows descend") };
    assert!(reason.contains("row 0 was kept after row 1"), "{reason}");
}

#[test]
fn an_instance_keeps_its_state_until_the_next_init() {
    init("");
    assert_eq!([transform(), transform()].map(|answer| answer.expect("an output").rows), [vec![0], vec![0, 0]]);
    init("");
    assert_eq!(transform().expect("an output").rows, [0]);
}
