//! Charts: CPU time per million records, a bar for the median and a line from the least to the most.

use svg::{
    Document,
    node::element::{Line, Rectangle, Text},
};

use crate::{
    e2e::{
        E2e,
        summary::{self, Middle},
    },
    scale::{Cell, Scale},
};

const BAR: usize = 18;
const STEP: usize = 26;
const TOP: usize = 34;
const LEFT: usize = 190;
const WIDTH: usize = 430;
/// For the figures right of the longest bar.
const RIGHT: usize = 70;

/// One chart for each cell, with a name for its file.
pub(super) fn of(report: &E2e) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    for line in &report.lines {
        if !cells.contains(&line.cell) {
            cells.push(line.cell);
        }
    }
    let chart = |cell: summary::Cell| {
        let bars = report.lines.iter().filter(|line| line.cell == cell);
        let bars: Vec<_> = bars.filter_map(|line| Some((line.name(), line.middle(|run| run.cpu)?))).collect();
        let name = cell.to_string().replace(", ", "-").replace(' ', "");
        (name, draw(&format!("CPU-seconds per million records: {cell}"), &bars))
    };
    cells.into_iter().map(chart).collect()
}

/// One chart for each of lanes, pipelines and partitions.
pub(super) fn of_scale(report: &Scale) -> Vec<(String, String)> {
    let Some(first) = report.lines.first().map(|line| line.cell) else { return vec![] };
    let axes: [(&str, fn(&Cell) -> u32); 3] =
        [("lanes", |cell| cell.lanes), ("pipelines", |cell| cell.pipelines), ("partitions", |cell| cell.partitions)];
    let at_once: Vec<_> = report.lines.iter().filter(|line| line.cell.wait_ms == 0).collect();
    let chart = |(name, of): (&str, fn(&Cell) -> u32)| {
        // The first cell, and those that differ from it in this alone.
        let differs = |cell: &Cell| axes.iter().filter(|(_, other)| other(cell) != other(&first)).count();
        let bars = at_once.iter().filter(|line| differs(&line.cell) == usize::from(of(&line.cell) != of(&first)));
        let bars = bars.filter_map(|line| {
            let middle = Middle::of(line.samples.iter().map(|sample| sample.cpu).collect())?;
            Some((format!("{} {name}", of(&line.cell)), middle))
        });
        (name.to_owned(), draw(&format!("CPU-seconds per million records: {name}"), &bars.collect::<Vec<_>>()))
    };
    axes.into_iter().map(chart).collect()
}

fn draw(title: &str, bars: &[(String, Middle)]) -> String {
    let most = bars.iter().map(|(_, middle)| middle.max).fold(f64::MIN_POSITIVE, f64::max);
    let x = |figure: f64| LEFT as f64 + figure / most * WIDTH as f64;
    let height = TOP + bars.len() * STEP + 6;
    let text = |text: &str, x: f64, y: usize, anchor: &str, weight: &str| {
        let text = Text::new(text).set("x", x).set("y", y).set("text-anchor", anchor).set("font-weight", weight);
        text.set("font-family", "sans-serif").set("font-size", 13).set("fill", "#222")
    };
    let size = (LEFT + WIDTH + RIGHT, height);
    let document = Document::new()
        .set("viewBox", (0, 0, size.0, size.1))
        .set("width", size.0)
        .set("height", size.1)
        // Readable on a dark page, too.
        .add(Rectangle::new().set("width", size.0).set("height", size.1).set("fill", "#fff"))
        .add(text(title, 8.0, 20, "start", "bold"));
    let document = bars.iter().enumerate().fold(document, |document, (index, (name, middle))| {
        let y = TOP + index * STEP;
        let center = y + BAR / 2;
        let colour = if name.starts_with("wasmill") { "#6741d9" } else { "#adb5bd" };
        let bar = Rectangle::new().set("x", LEFT).set("y", y).set("height", BAR).set("fill", colour);
        let range = Line::new().set("x1", x(middle.min)).set("x2", x(middle.max)).set("y1", center).set("y2", center);
        document
            .add(bar.set("width", x(middle.median) - LEFT as f64))
            .add(range.set("stroke", "#222").set("stroke-width", 1.5))
            .add(text(name, LEFT as f64 - 8.0, y + 14, "end", "normal"))
            .add(text(&format!("{:.2}", middle.median), x(middle.max) + 6.0, y + 14, "start", "normal"))
    });
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_ends_at_the_edge_and_half_of_it_half_way() {
        let middle = |median| Middle { median, min: median, max: median };
        let svg = draw("t", &[("wasmill".to_owned(), middle(1.0)), ("raw".to_owned(), middle(2.0))]);
        let widths = svg.matches(&format!(" width=\"{}\"", WIDTH / 2)).count();
        assert!(widths == 1 && svg.contains(&format!(" width=\"{WIDTH}\"")), "{svg}");
    }
}
