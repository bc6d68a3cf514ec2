//! What must fail, or the bench cannot tell good from bad.

use serde_json::Value;

/// Did every control fail as it must, and every case do what it is called?
pub(crate) fn believed(figures: &Value) -> bool {
    let of = |case: &str, figure: &str| {
        let path = format!("/{}/{figure}", case.replace('.', "/"));
        figures.pointer(&path).and_then(Value::as_f64)
    };
    let above = |figure: Option<f64>, least: f64| figure.is_none_or(|figure| figure > least);
    let guard = of("guard", "ns").unwrap_or(f64::INFINITY);
    let mut held = [
        (
            "control.stacked costs no more than one and a half guards",
            above(of("control.stacked", "ns"), 1.5 * guard),
        ),
        (
            "control.naive makes no allocation that is seen",
            above(of("control.naive", "allocs"), 0.99),
        ),
        (
            "control.naive scales to two threads, one lock and all",
            of("control.naive", "scaling").is_none_or(|scaling| scaling < 1.5),
        ),
    ]
    .map(|(unless, held)| (unless.to_owned(), held))
    .to_vec();
    let named = |value: &'_ Value| value.as_object().cloned().unwrap_or_default();
    let cases = named(figures).into_iter().chain(named(&figures["control"]));
    for (name, case) in cases.filter(|(_, case)| case["ends"].is_object()) {
        let ends = |end: &str| case["ends"][end].as_u64().unwrap_or(0);
        let refuses = name == "refusal";
        held.push((
            format!(
                "{name} refused {} and left {} unanswered",
                ends("refused"),
                ends("unanswered")
            ),
            (ends("refused") > 0) == refuses
                && (ends("answered") > 0) != refuses
                && ends("unanswered") == 0,
        ));
    }
    for (what, _) in held.iter().filter(|(_, held)| !held) {
        eprintln!("overhead: the bench is not to be believed: {what}");
    }
    held.iter().all(|(_, held)| *held)
}
