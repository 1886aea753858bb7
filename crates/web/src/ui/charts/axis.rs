//! The axis of values: round numbers from nought to just over the largest.

/// The height of a drawing in its own units. It is stretched, so this only says how finely heights are told apart.
pub(super) const HEIGHT: u32 = 1_000;
/// Most parts that the axis has; more lines would be louder than what they measure.
const PARTS_MAX: u128 = 4;

/// A scale from nought to a round number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    top: u128,
    part: u128,
}

impl Axis {
    /// The axis on which `most` finds room: its parts are 1, 2 or 5 of a power of ten. Values are sums of a few `u64`.
    pub(super) fn up_to(most: u128) -> Axis {
        let mut power = 1_u128;
        loop {
            for part in [power, 2 * power, 5 * power] {
                let parts = most.div_ceil(part);
                if parts <= PARTS_MAX {
                    return Axis { top: parts.max(1) * part, part };
                }
            }
            power *= 10;
        }
    }

    /// The values with a line, from the top down to nought.
    pub(super) fn ticks(self) -> Vec<u128> {
        (0..=self.top / self.part).rev().map(|number| number * self.part).collect()
    }

    /// How high a value stands.
    pub(super) fn height(self, value: u128) -> u32 {
        let height = value.min(self.top) * u128::from(HEIGHT) / self.top;
        u32::try_from(height).expect("it is at most the height")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round_and_the_largest_value_finds_room() {
        for (most, ticks) in [
            (0, vec![1, 0]),
            (1, vec![1, 0]),
            (3, vec![3, 2, 1, 0]),
            (5, vec![6, 4, 2, 0]),
            (100, vec![100, 50, 0]),
            (101, vec![150, 100, 50, 0]),
            (7_301, vec![8_000, 6_000, 4_000, 2_000, 0]),
        ] {
            assert_eq!(Axis::up_to(most).ticks(), ticks, "{most}");
        }
        let enormous = 2 * u128::from(u64::MAX);
        let axis = Axis::up_to(enormous);
        assert_eq!(axis.ticks(), [4, 3, 2, 1, 0].map(|tens| tens * 10_u128.pow(19)));
        assert_eq!(axis.height(enormous), 922);
    }

    #[test]
    fn heights_grow_with_their_values_and_end_at_the_top() {
        let axis = Axis::up_to(200);
        assert_eq!([0, 50, 200, 300].map(|value| axis.height(value)), [0, 250, HEIGHT, HEIGHT]);
    }
}
