//! What the training loop asks of the other ranks.

use std::ops::Range;

use super::local::{LocalSteps, Scope, WHOLE_TIER};
use super::words::{Words, of_f64, of_u64};
use super::{Alone, Ranks, exact};
use crate::batch::{Batch, Share};
use crate::config::Sync;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::train::dataset::Dataset;
use crate::train::schedule::auto_sync;
use crate::train::state::Mean;

/// The number of meetings of a run, unless it has fewer batches.
pub(in crate::train) fn meetings(data: &Dataset) -> u64 {
    let interval = interval(data);
    data.total_words() / interval.max(1)
}

/// Words of the corpus, over all ranks, between two meetings.
fn interval(data: &Dataset) -> u64 {
    let ranks = data.config.ranks.ranks.unwrap_or(1);
    let windows = match data.config.ranks.sync {
        Some(Sync::Windows(windows)) => windows as f64 * ranks as f64,
        // In exact steps ranks meet to tell their losses alone.
        Some(Sync::Exact) | None => auto_sync(data.kept(), 1) as f64,
    };
    data.words_of(windows)
}

/// What ranks have to tell each other about their steps since they last met.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::train) struct Tally {
    /// The loss of these steps.
    pub(in crate::train) loss: Mean,
    /// The sum of these losses if all scores had been zero.
    pub(in crate::train) blank_sum: f64,
    /// Whether the rank was asked to stop.
    pub(in crate::train) stop: bool,
}

impl Tally {
    pub(super) fn write(&self, message: &mut Vec<u32>) {
        message.extend(of_f64(self.loss.sum));
        message.extend(of_u64(self.loss.pairs));
        message.extend(of_f64(self.blank_sum));
        message.push(u32::from(self.stop));
    }

    pub(super) fn read(message: &mut Words<'_>) -> Result<Self> {
        Ok(Self {
            loss: Mean {
                sum: message.f64()?,
                pairs: message.u64()?,
            },
            blank_sum: message.f64()?,
            stop: message.take(1)?[0] != 0,
        })
    }
}

/// How far the ranks come together after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::train) enum Meeting {
    /// They do not meet.
    None,
    /// They meet about the most frequent rows, whose number doubles as often as this says.
    Some(u32),
    /// All ranks have one model then.
    All,
}

/// The ranks of a run, as the loop of one of them sees them.
#[derive(Debug)]
pub(in crate::train) struct Team<'a> {
    ranks: &'a dyn Ranks,
    way: Way,
}

/// How ranks train together.
#[derive(Debug)]
enum Way {
    /// There is one rank.
    Alone,
    /// Each on its own model for a while.
    Local {
        steps: Box<LocalSteps>,
        /// Words of the corpus, over all ranks, between two meetings.
        interval: u64,
    },
    /// In every step.
    Exact {
        /// Words of the corpus after which losses are told.
        interval: u64,
    },
}

impl<'a> Team<'a> {
    /// The ranks of a run on `data`. The engine holds the model that all ranks start from.
    pub(in crate::train) fn new(
        ranks: Option<&'a dyn Ranks>,
        data: &Dataset,
        engine: &mut dyn Engine,
    ) -> Result<Self> {
        let ranks = ranks.unwrap_or(&Alone);
        let settings = &data.config.ranks;
        let size = settings.ranks.unwrap_or(1);
        if ranks.size() != size {
            let why = format!("the run has {} in fact", ranks.size());
            return Err(Error::setting("ranks", size, why));
        }
        let way = match settings.sync {
            _ if size == 1 => Way::Alone,
            Some(Sync::Windows(_)) => Way::Local {
                steps: Box::new(LocalSteps::new(engine.model()?, data.has_tree())),
                interval: interval(data),
            },
            Some(Sync::Exact) => Way::Exact {
                interval: interval(data),
            },
            None => return Err(Error::ranks("the data set was prepared for one rank")),
        };
        Ok(Self { ranks, way })
    }

    /// The rank's share of each group of blocks.
    pub(in crate::train) fn share(&self) -> Share {
        match self.way {
            Way::Alone | Way::Exact { .. } => Share::ALL,
            Way::Local { .. } => Share {
                rank: self.ranks.rank(),
                ranks: self.ranks.size(),
            },
        }
    }

    /// Whether this rank shows, evaluates and writes.
    pub(in crate::train) fn leads(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// Whether there is one rank.
    pub(in crate::train) fn is_alone(&self) -> bool {
        self.ranks.size() == 1
    }

    /// How far the ranks come together after a batch that begins and ends after so many words.
    /// `ends_epoch` says whether it is the last one of an epoch.
    pub(in crate::train) fn meeting(&self, words: Range<u64>, ends_epoch: bool) -> Meeting {
        let (Way::Local { interval, .. } | Way::Exact { interval }) = self.way else {
            return Meeting::All;
        };
        // Meetings are numbered by the words before them, so that a resumed run has the same.
        let (before, after) = (words.start / interval, words.end / interval);
        if ends_epoch {
            return Meeting::All;
        }
        // Of all numbers that the batch passes, this is how often 2 divides the evenest one.
        match (before ^ after).checked_ilog2() {
            None => Meeting::None,
            Some(tier) if tier >= WHOLE_TIER || self.is_exact() => Meeting::All,
            Some(tier) => Meeting::Some(tier),
        }
    }

    /// Trains one batch.
    pub(in crate::train) fn step(
        &self,
        engine: &mut dyn Engine,
        batch: &Batch,
        lr: f32,
    ) -> Result<()> {
        match self.way {
            Way::Alone | Way::Local { .. } => engine.step(batch, lr),
            Way::Exact { .. } => exact::step(self.ranks, engine, batch, lr),
        }
    }

    fn is_exact(&self) -> bool {
        matches!(self.way, Way::Exact { .. })
    }

    /// Meets the others; returns what they have done since the last meeting.
    pub(in crate::train) fn meet(
        &mut self,
        meeting: Meeting,
        engine: &mut dyn Engine,
        own: Tally,
    ) -> Result<Tally> {
        let scope = match meeting {
            Meeting::None => return Ok(Tally::default()),
            Meeting::Some(tier) => Scope::Tier(tier),
            Meeting::All => Scope::All,
        };
        let tallies = match &mut self.way {
            Way::Alone => return Ok(Tally::default()),
            Way::Local { steps, .. } => steps.meet(self.ranks, engine, scope, own)?,
            // Every rank knows the examples of the whole batch, and the losses of its part.
            Way::Exact { .. } => {
                let mut tallies = self.gather(own)?;
                for tally in &mut tallies {
                    (tally.loss.pairs, tally.blank_sum) = (0, 0.0);
                }
                tallies
            }
        };
        Ok(self.sum_of_others(&tallies))
    }

    /// What every rank has to tell.
    fn gather(&self, own: Tally) -> Result<Vec<Tally>> {
        let mut message = Vec::new();
        own.write(&mut message);
        let all = self.ranks.gather(message)?;
        all.iter()
            .map(|message| Tally::read(&mut Words(message)))
            .collect()
    }

    /// Adds up the losses of the sentences held out over all ranks.
    pub(in crate::train) fn total(&self, own: Mean) -> Result<Mean> {
        if self.is_exact() {
            // Each rank has all of them, with the same bits.
            return Ok(own);
        }
        let own = Tally {
            loss: own,
            ..Tally::default()
        };
        let mut total = Mean::default();
        let all = self.gather(own)?;
        all.iter().for_each(|tally| total.add(tally.loss));
        Ok(total)
    }

    fn sum_of_others(&self, tallies: &[Tally]) -> Tally {
        let mut sum = Tally::default();
        for (rank, tally) in tallies.iter().enumerate() {
            sum.stop |= tally.stop;
            if rank != self.ranks.rank() {
                sum.loss.add(tally.loss);
                sum.blank_sum += tally.blank_sum;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(way: Way) -> Team<'static> {
        Team { ranks: &Alone, way }
    }

    #[test]
    fn meetings_follow_from_the_words_alone() {
        let model = crate::model::Model::new(2, 1, 1);
        let local = team(Way::Local {
            steps: Box::new(LocalSteps::new(model, false)),
            interval: 100,
        });
        let meet = |words: Range<u64>| local.meeting(words, false);
        assert_eq!(meet(0..99), Meeting::None);
        assert_eq!(meet(0..100), Meeting::Some(0));
        assert_eq!(meet(199..201), Meeting::Some(1));
        assert_eq!(meet(300..350), Meeting::None);
        // Of the meetings 5 to 9, which one batch passes, the 8th takes most rows.
        assert_eq!(meet(450..950), Meeting::Some(3));
        assert_eq!(meet(3199..3200), Meeting::Some(5));
        assert_eq!(meet(12_799..12_800), Meeting::All);
        assert_eq!(local.meeting(0..1, true), Meeting::All);
        let exact = team(Way::Exact { interval: 100 });
        assert_eq!(exact.meeting(0..99, false), Meeting::None);
        assert_eq!(exact.meeting(0..100, false), Meeting::All);
        assert_eq!(team(Way::Alone).meeting(0..1, false), Meeting::All);
    }

    #[test]
    fn a_tally_arrives_as_it_was_sent() {
        let tally = Tally {
            loss: Mean {
                sum: -0.1,
                pairs: u64::MAX - 1,
            },
            blank_sum: 1e300,
            stop: true,
        };
        let mut message = Vec::new();
        tally.write(&mut message);
        assert_eq!(Tally::read(&mut Words(&message)).unwrap(), tally);
        message.pop();
        let error = Tally::read(&mut Words(&message)).unwrap_err().to_string();
        assert!(error.contains("a message ends too early"), "{error}");
    }
}
