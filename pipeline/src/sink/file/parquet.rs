//! Events as Parquet: the columns of the CSV with types, compressed with zstd, in row groups of
//! bounded size.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use resetscope_core::judge::event::Event;
use resetscope_core::judge::note::Note;

use super::encode::Encode;
use crate::sink::community_id::community_id;
use crate::sink::event::{SCHEMA, alternatives_text, confidence, evidence_text};

/// Rows of a row group: so many, or so many bytes before compression, whichever comes first.
const ROWS_MAX: usize = 16_384;
const ROW_BYTES_MAX: usize = 16 << 20;

/// The columns, in the order and under the names of the CSV.
const COLUMNS: &str = "message event {
    REQUIRED INT64 time_ns;
    REQUIRED INT64 frame;
    REQUIRED BYTE_ARRAY src (STRING);
    REQUIRED INT32 sport (INTEGER(16, false));
    REQUIRED BYTE_ARRAY dst (STRING);
    REQUIRED INT32 dport (INTEGER(16, false));
    REQUIRED INT64 packets;
    REQUIRED BYTE_ARRAY cause (STRING);
    REQUIRED BYTE_ARRAY subcause_id (STRING);
    REQUIRED BYTE_ARRAY subcause (STRING);
    REQUIRED DOUBLE confidence;
    REQUIRED BYTE_ARRAY stage (STRING);
    REQUIRED BYTE_ARRAY conn_state (STRING);
    REQUIRED BYTE_ARRAY history (STRING);
    REQUIRED BYTE_ARRAY community_id (STRING);
    REQUIRED BYTE_ARRAY note (STRING);
    REQUIRED BYTE_ARRAY evidence (JSON);
    REQUIRED BYTE_ARRAY alternatives (JSON);
}";

/// Values of one column that wait for their row group.
enum Column {
    Long(Vec<i64>),
    Short(Vec<i32>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
}

/// A value in a row.
enum Value {
    Long(i64),
    Short(i32),
    Double(f64),
    Text(String),
}

impl Value {
    /// Numbers beyond 2^63 - 1, which a damaged capture may have for times, are written as that.
    fn long(number: u64) -> Self {
        Self::Long(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 4,
            _ => 8,
        }
    }
}

#[derive(Default)]
pub(super) struct EventParquet {
    writer: Option<SerializedFileWriter<Vec<u8>>>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl EventParquet {
    fn add(&mut self, row: Vec<Value>) {
        if self.columns.is_empty() {
            let column = |value: &Value| match value {
                Value::Long(_) => Column::Long(Vec::new()),
                Value::Short(_) => Column::Short(Vec::new()),
                Value::Double(_) => Column::Double(Vec::new()),
                Value::Text(_) => Column::Text(Vec::new()),
            };
            self.columns = row.iter().map(column).collect();
        }
        self.rows += 1;
        for (column, value) in self.columns.iter_mut().zip(row) {
            self.bytes += value.bytes();
            match (column, value) {
                (Column::Long(values), Value::Long(value)) => values.push(value),
                (Column::Short(values), Value::Short(value)) => values.push(value),
                (Column::Double(values), Value::Double(value)) => values.push(value),
                (Column::Text(values), Value::Text(value)) => values.push(value.as_str().into()),
                // Every row has the same types.
                _ => {}
            }
        }
    }

    /// Writes the rows that wait as a row group.
    fn write_group(&mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        let columns = std::mem::take(&mut self.columns);
        (self.rows, self.bytes) = (0, 0);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if !columns.is_empty() {
            let mut group = writer.next_row_group()?;
            for column in &columns {
                match column {
                    Column::Long(values) => write::<Int64Type>(&mut group, values)?,
                    Column::Short(values) => write::<Int32Type>(&mut group, values)?,
                    Column::Double(values) => write::<DoubleType>(&mut group, values)?,
                    Column::Text(values) => write::<ByteArrayType>(&mut group, values)?,
                }
            }
            group.close()?;
        }
        drain(writer, out)
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}

/// Moves what the writer has written to `out`; it counts its offsets by itself.
fn drain(
    writer: &mut SerializedFileWriter<Vec<u8>>,
    out: &mut Vec<u8>,
) -> Result<(), ParquetError> {
    writer.flush()?;
    out.append(writer.inner_mut());
    Ok(())
}

impl Encode<Event> for EventParquet {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let schema = KeyValue::new("schema".to_owned(), SCHEMA.to_owned());
        let properties = WriterProperties::builder()
            .set_created_by(concat!("resetscope ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![schema]))
            .build();
        let columns = Arc::new(parse_message_type(COLUMNS)?);
        let mut writer = SerializedFileWriter::new(Vec::new(), columns, Arc::new(properties))?;
        drain(&mut writer, out)?;
        *self = Self { writer: Some(writer), ..Self::default() };
        Ok(())
    }

    fn record(&mut self, event: &Event, out: &mut Vec<u8>) -> io::Result<()> {
        let (from, to) = (event.side, event.side ^ 1);
        let claim = event.verdict.claim;
        self.add(vec![
            Value::long(event.time_ns),
            Value::long(event.frame),
            Value::Text(event.key.ip(from).to_string()),
            Value::Short(event.key.port(from).into()),
            Value::Text(event.key.ip(to).to_string()),
            Value::Short(event.key.port(to).into()),
            Value::Long(event.packets.into()),
            Value::text(claim.subcause.cause().name()),
            Value::text(claim.subcause.id()),
            Value::text(claim.subcause.name()),
            Value::Double(confidence(claim)),
            Value::text(event.stage.name()),
            Value::text(event.conn_state.name()),
            Value::text(event.history.as_str()),
            Value::Text(community_id(&event.key)),
            Value::Text(Note(event).to_string()),
            Value::Text(evidence_text(event)?),
            Value::Text(alternatives_text(event)?),
        ]);
        if self.rows >= ROWS_MAX || self.bytes >= ROW_BYTES_MAX {
            self.write_group(out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.write_group(out)?;
        if let Some(mut writer) = self.writer.take() {
            writer.finish()?;
            drain(&mut writer, out)?;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.bytes
    }

    fn needs_end(&self) -> bool {
        true
    }
}
