//! Aggregations: functions that queries can call by name.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Timestamp;
use crate::error::{PluginError, Result};
use crate::grouped::Grouped;
use crate::plugin::{Plugin, known_or_derived, parse_settings};
use crate::state::SavedState;

/// A plugin that offers aggregate functions; exported with [`export_aggregation!`](crate::export_aggregation).
pub trait Aggregation: Plugin {
    /// The functions that it offers.
    fn aggregates(&self) -> Aggregates;
}

/// One aggregate function. The implementing type is its **parameters**, as a query gives them; [`Aggregate::Group`] is the
/// running state of one group of samples. The SDK keeps the groups and saves, restores and merges them.
///
/// ```
/// use bridge_telemetry_plugin::{Aggregate, AggregateValue, Grouped, Result, Timestamp};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// /// Share of samples above a limit: `share_above(limit=250)`.
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct ShareAbove { limit: f64 }
///
/// impl Aggregate for ShareAbove {
///     const NAME: &'static str = "share_above";
///     const DESCRIPTION: &'static str = "Share of samples above a limit";
///     type Group = (u64, u64); // above, all
///
///     fn open(&self) -> (u64, u64) {
///         (0, 0)
///     }
///
///     fn update(&self, group: &mut (u64, u64), _: &[Timestamp], values: &[f64]) -> Result<()> {
///         group.0 += values.iter().filter(|value| **value > self.limit).count() as u64;
///         group.1 += values.len() as u64;
///         Ok(())
///     }
///
///     fn merge(&self, group: &mut (u64, u64), other: (u64, u64)) -> Result<()> {
///         *group = (group.0 + other.0, group.1 + other.1);
///         Ok(())
///     }
///
///     fn evaluate(&self, group: &(u64, u64)) -> Result<AggregateValue> {
///         Ok((group.1 > 0).then(|| group.0 as f64 / group.1 as f64).into())
///     }
/// }
///
/// assert_eq!(Grouped::evaluate_one(ShareAbove { limit: 2.0 }, &[], &[1.0, 2.0, 3.0, 4.0])?, AggregateValue::Number(0.5));
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
pub trait Aggregate: DeserializeOwned + JsonSchema + 'static {
    /// The name that queries call it by.
    const NAME: &'static str;
    /// One line for people who write queries.
    const DESCRIPTION: &'static str;
    /// Partial states can be merged in any order. The host may then split the work and keep states as rollups. Say `false`
    /// where a result needs all samples of a group in one place; [`Aggregate::merge`] is then still used to continue from a
    /// saved state, in time order.
    const MERGEABLE: bool = true;
    /// The result depends on the samples' times. Samples then come in time order within a group, and `update` gets their times;
    /// without it `timestamps` is empty.
    const NEEDS_TIMESTAMPS: bool = false;
    /// The number of the format of saved groups; raise it whenever [`Aggregate::Group`] changes.
    const STATE_VERSION: u32 = 1;

    /// The schema of the parameters as text; see [`Plugin::CONFIG_SCHEMA`].
    const PARAMETERS_SCHEMA: Option<&'static str> = None;

    /// The running state of one group. Saved as [`SavedState`] is: see there for what serde features it may use.
    type Group: Serialize + DeserializeOwned + 'static;

    /// Checks what the schema of the parameters cannot express, and prepares what is derived from them.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`]; name the parameter.
    fn prepare(self) -> Result<Self> {
        Ok(self)
    }

    /// The state of a group without samples.
    fn open(&self) -> Self::Group;

    /// Adds samples to a group. `timestamps` has one time per value where [`Aggregate::NEEDS_TIMESTAMPS`], else none.
    ///
    /// # Errors
    /// When these samples cannot be aggregated; the query then fails with the message.
    fn update(&self, group: &mut Self::Group, timestamps: &[Timestamp], values: &[f64]) -> Result<()>;

    /// Adds the samples that `other` has seen to a group.
    ///
    /// # Errors
    /// When the two do not fit together.
    fn merge(&self, group: &mut Self::Group, other: Self::Group) -> Result<()>;

    /// Reads a group of another [`Aggregate::STATE_VERSION`], so that states that were saved by an older version stay useful.
    /// `saved` holds that group's bytes alone.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] unless implemented; the host then builds its saved states anew.
    fn upgrade(&self, saved: &SavedState) -> Result<Self::Group> {
        let version = saved.version();
        Err(PluginError::Unsupported(format!("{}: groups saved as version {version}", Self::NAME)))
    }

    /// The result for a group.
    ///
    /// # Errors
    /// When there is no telling; the query then fails with the message. For a group without samples answer
    /// [`AggregateValue::None`].
    fn evaluate(&self, group: &Self::Group) -> Result<AggregateValue>;
}

/// The result for one group.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateValue {
    /// There is nothing to judge.
    None,
    /// A number; not NaN and not infinite.
    Number(f64),
    /// Any other JSON, as text; see [`AggregateValue::json`].
    Json(String),
}

impl AggregateValue {
    /// Any value as JSON.
    ///
    /// # Errors
    /// When JSON cannot express it.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::Json(serde_json::to_string(value)?))
    }
}

impl From<f64> for AggregateValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f64>> for AggregateValue {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::None, Self::Number)
    }
}

/// Samples of many groups in runs, checked: the lengths add up.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    groups: &'a [u32],
    lengths: &'a [u32],
    timestamps: &'a [Timestamp],
    values: &'a [f64],
}

/// The next samples of one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run<'a> {
    /// The group, from 0.
    pub group: u32,
    /// One per value, or none where the aggregate needs no times.
    pub timestamps: &'a [Timestamp],
    /// The values.
    pub values: &'a [f64],
}

impl<'a> Runs<'a> {
    /// Checks columns that came from the host.
    ///
    /// # Errors
    /// When lengths, groups, values and times do not fit together.
    pub fn new(
        groups: &'a [u32],
        lengths: &'a [u32],
        timestamps: &'a [Timestamp],
        values: &'a [f64],
    ) -> Result<Self> {
        let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        if groups.len() != lengths.len() || total != values.len() as u64 {
            return Err(PluginError::other("the runs do not cover the values"));
        }
        if !timestamps.is_empty() && timestamps.len() != values.len() {
            return Err(PluginError::other("the times do not cover the values"));
        }
        Ok(Self { groups, lengths, timestamps, values })
    }

    /// The highest group.
    pub fn highest_group(&self) -> Option<u32> {
        self.groups.iter().copied().max()
    }

    /// Whether times came with the values.
    pub fn has_timestamps(&self) -> bool {
        self.timestamps.len() == self.values.len()
    }

    /// The runs in order.
    pub fn iter(&self) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let (mut timestamps, mut values) = (self.timestamps, self.values);
        self.groups.iter().zip(self.lengths).map(move |(&group, &length)| Run {
            group,
            timestamps: take(&mut timestamps, length),
            values: take(&mut values, length),
        })
    }
}

/// Cuts the first `length` items off, or all if there are fewer.
fn take<'a, T>(rest: &mut &'a [T], length: u32) -> &'a [T] {
    let (head, tail) = rest.split_at_checked(length as usize).unwrap_or((rest, &[]));
    *rest = tail;
    head
}

/// Running states of one aggregate for many groups. [`Grouped`] makes one of an [`Aggregate`]; implement it yourself only where
/// groups are to share memory or work.
pub trait Accumulator: 'static {
    /// Adds samples. A group that is new is opened, and any missing one below it.
    ///
    /// # Errors
    /// When the samples cannot be aggregated.
    fn update(&mut self, runs: Runs<'_>) -> Result<()>;

    /// Merges saved groups into this one: saved group `i` into group `group_map[i]`.
    ///
    /// # Errors
    /// When the state cannot be read, or does not fit.
    fn merge(&mut self, saved: SavedState, group_map: &[u32]) -> Result<()>;

    /// All groups, in order.
    ///
    /// # Errors
    /// When they cannot be serialised.
    fn save(&self) -> Result<SavedState>;

    /// One value per group, in order.
    ///
    /// # Errors
    /// When a group has no result.
    fn evaluate(&self) -> Result<Vec<AggregateValue>>;
}

/// What the host is told about an aggregate function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateInfo {
    /// The name that queries call it by.
    pub name: String,
    /// One line for people who write queries.
    pub description: String,
    /// JSON Schema of the parameters, an object.
    pub parameters_schema_json: String,
    /// Partial states can be merged.
    pub mergeable: bool,
    /// The result depends on the samples' times.
    pub needs_timestamps: bool,
}

type Open = Box<dyn Fn(&str) -> Result<Box<dyn Accumulator>>>;

struct Entry {
    name: String,
    info: Box<dyn Fn() -> AggregateInfo>,
    open: Open,
}

/// The aggregate functions of a plugin.
#[derive(Default)]
pub struct Aggregates {
    entries: Vec<Entry>,
}

impl Aggregates {
    /// None; a start to add to.
    pub fn none() -> Self {
        Self::default()
    }

    /// A single one.
    pub fn of<A: Aggregate>() -> Self {
        Self::none().and::<A>()
    }

    /// Adds one.
    #[must_use]
    pub fn and<A: Aggregate>(self) -> Self {
        self.and_with(|parameters: A| parameters)
    }

    /// Adds one whose parameters are completed from the plugin's configuration.
    #[must_use]
    pub fn and_with<A: Aggregate>(mut self, complete: impl Fn(A) -> A + 'static) -> Self {
        let open: Open = Box::new(move |json| {
            let parameters: A = parse_settings(json).map_err(|message| {
                PluginError::Unsupported(format!("parameters of {}: {message}", A::NAME))
            })?;
            Ok(Box::new(Grouped::new(complete(parameters))?))
        });
        let info = Box::new(|| AggregateInfo {
            name: A::NAME.to_owned(),
            description: A::DESCRIPTION.to_owned(),
            parameters_schema_json: known_or_derived::<A>(A::PARAMETERS_SCHEMA),
            mergeable: A::MERGEABLE,
            needs_timestamps: A::NEEDS_TIMESTAMPS,
        });
        self.entries.push(Entry { name: A::NAME.to_owned(), info, open });
        self
    }

    /// Adds one with an [`Accumulator`] of its own; `open` gets the parameters as JSON.
    #[must_use]
    pub fn and_custom(
        mut self,
        info: AggregateInfo,
        open: impl Fn(&str) -> Result<Box<dyn Accumulator>> + 'static,
    ) -> Self {
        let name = info.name.clone();
        self.entries.push(Entry { name, info: Box::new(move || info.clone()), open: Box::new(open) });
        self
    }

    /// What the host is told about them.
    pub fn infos(&self) -> Vec<AggregateInfo> {
        self.entries.iter().map(|entry| (entry.info)()).collect()
    }

    /// A new accumulator.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for an unknown name or wrong parameters.
    pub fn open(&self, name: &str, parameters_json: &str) -> Result<Box<dyn Accumulator>> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        let entry =
            entry.ok_or_else(|| PluginError::Unsupported(format!("no aggregate is called \"{name}\"")))?;
        (entry.open)(parameters_json)
    }
}
