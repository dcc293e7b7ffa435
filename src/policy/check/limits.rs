//! Checks limits: every class under a limit expires in time, and no duty keeps it longer.

use crate::data_map::DataMap;
use crate::document::{Reader, join, suggest};
use crate::policy::document::Rules;
use crate::policy::{After, Period};

pub(super) fn check_limits(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    for limit in &rules.limits {
        let path = join("limits", limit.name());
        let fits = |period: Period| period == limit.at_most || period.is_shorter_than(limit.at_most);
        for class in &limit.classes {
            let path = join(&path, "classes");
            let Some(described) = map.class(class.as_str()) else {
                let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
                let what = format!("{class} is no record class of the data map");
                reader.problem(path, what, suggest(class.as_str(), known));
                continue;
            };
            super::duties::check_date(
                reader,
                || join(&join("limits", limit.name()), "from"),
                described,
                &limit.from,
                map,
            );
            let expires = rules.expire.get(class).and_then(|rule| rule.after.as_ref());
            let in_time = match expires {
                Some(After::Age { from, period }) => *from == limit.from && fits(*period),
                Some(After::Duty) | None => false,
            };
            if !in_time {
                reader.problem(
                    path.as_str(),
                    format!("{class} does not expire within {} after {}", limit.at_most, limit.from),
                    format!(
                        "write expire.{class} = {{ from = \"{}\", after = \"{}\", action = \"delete\" }}",
                        limit.from, limit.at_most
                    ),
                );
            }
            for duty in rules.duties.iter().filter(|duty| duty.classes().contains_key(class)) {
                if !fits(duty.period()) {
                    reader.problem(
                        path.as_str(),
                        format!(
                            "{class} is kept by duty {} for {}, which is longer",
                            duty.name(),
                            duty.period()
                        ),
                        format!(
                            "take {class} out of duty {} or out of the limit: one of them does not apply",
                            duty.name()
                        ),
                    );
                }
            }
        }
    }
}
