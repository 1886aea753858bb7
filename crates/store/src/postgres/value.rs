//! Values to and from PostgreSQL's wire: the four storage types and their relatives that expressions come out as.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::error::StoreError;
use crate::tx::{Arg, Row};

/// An argument on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a>(pub(super) Arg<'a>);

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, ty) {
            (Arg::Null, _) => return Ok(IsNull::Yes),
            (Arg::Int(number), &Type::INT8) => out.put_i64(number),
            (Arg::Int(number), &Type::INT4) => out.put_i32(number.try_into()?),
            (Arg::Int(number), &Type::INT2) => out.put_i16(number.try_into()?),
            (Arg::Int(number), &Type::BOOL) => out.put_u8(u8::from(number != 0)),
            (Arg::Text(text), &(Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN)) => {
                out.put_slice(text.as_bytes());
            }
            (Arg::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            (arg, ty) => return Err(format!("{} was given where {ty} is wanted", kind(arg)).into()),
        }
        Ok(IsNull::No)
    }

    /// Decided with the value at hand, so that the error can name both.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn kind(arg: Arg<'_>) -> &'static str {
    match arg {
        Arg::Null => "null",
        Arg::Int(_) => "an integer",
        Arg::Text(_) => "text",
        Arg::Bytes(_) => "bytes",
    }
}

/// An integer, whatever PostgreSQL makes of an integer expression: a comparison is a boolean, a sum is numeric.
struct Integer(i64);

impl<'a> FromSql<'a> for Integer {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Integer(match *ty {
            Type::BOOL => i64::from(bool::from_sql(ty, raw)?),
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            Type::NUMERIC => whole_numeric(raw).ok_or("the number is not a 64-bit integer")?,
            _ => i64::from_sql(ty, raw)?,
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC)
    }
}

/// Reads a numeric that is whole. On the wire: count of digits, weight of the first, sign, scale, each 16 bits, then digits
/// of base 10,000 (PostgreSQL's `numeric_send`).
fn whole_numeric(raw: &[u8]) -> Option<i64> {
    let mut words = raw.chunks_exact(2).map(|two| i16::from_be_bytes([two[0], two[1]]));
    let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut value: i128 = 0;
    for place in 0..=weight.max(count - 1) {
        let digit = if place < count { i128::from(words.next()?) } else { 0 };
        if place <= weight {
            value = value.checked_mul(10_000)?.checked_add(digit)?;
        } else if digit != 0 {
            return None;
        }
    }
    match sign {
        0 => i64::try_from(value).ok(),
        0x4000 => i64::try_from(-value).ok(),
        _ => None,
    }
}

/// A row as an operation sees it.
pub(super) struct PostgresRow(pub(super) tokio_postgres::Row);

impl PostgresRow {
    fn value<'r, T: FromSql<'r>>(
        &'r self,
        column: usize,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.0.try_get(column).map_err(|_| StoreError::Corrupt { what })
    }
}

impl Row for PostgresRow {
    fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.value::<Integer>(column, "integer")?.map(|integer| integer.0))
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        self.value(column, "text")
    }

    fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        self.value(column, "bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(weight: i16, sign: i16, digits: &[i16]) -> Vec<u8> {
        let count = i16::try_from(digits.len()).expect("few digits");
        let words = [count, weight, sign, 0];
        words.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_sum_comes_back_as_the_integer_it_is() {
        assert_eq!(whole_numeric(&numeric(0, 0, &[])), Some(0));
        assert_eq!(whole_numeric(&numeric(0, 0, &[42])), Some(42));
        assert_eq!(whole_numeric(&numeric(1, 0x4000, &[1, 2])), Some(-10_002));
        assert_eq!(whole_numeric(&numeric(2, 0, &[1])), Some(100_000_000));
        assert_eq!(whole_numeric(&numeric(4, 0, &[922, 3372, 368, 5477, 5807])), Some(i64::MAX));
    }

    #[test]
    fn what_is_no_64_bit_integer_is_refused() {
        assert_eq!(
            whole_numeric(&numeric(4, 0, &[922, 3372, 368, 5477, 5808])),
            None,
            "one past the largest"
        );
        assert_eq!(whole_numeric(&numeric(0, 0, &[1, 5000])), None, "1.5");
        assert_eq!(whole_numeric(&numeric(0, -0x4000, &[])), None, "NaN");
        assert_eq!(whole_numeric(&[0, 1]), None, "cut off");
    }
}
