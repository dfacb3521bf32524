/** What a collector says about an export that it has taken in part. */
export interface PartialSuccess {
  /** Spans or data points. */
  readonly rejected: number;
  /** Empty without a message. */
  readonly message: string;
}

/** Decodes an `ExportTraceServiceResponse` or `ExportMetricsServiceResponse` (opentelemetry-proto 1.x): the partial success
 *  is its field 1, of which field 1 is `rejected_spans` or `rejected_data_points`, and field 2 `error_message`. Returns
 *  `undefined` if the collector has rejected nothing: then a message is only advice.
 *  @throws {RangeError} for a truncated response. */
export function readPartialSuccess(response: Uint8Array): PartialSuccess | undefined {
  const partialSuccess = readFields(response).get(1);
  if (!(partialSuccess instanceof Uint8Array)) return undefined;
  const fields = readFields(partialSuccess);
  const [rejected, message] = [fields.get(1), fields.get(2)];
  if (typeof rejected !== 'number' || rejected === 0) return undefined;
  return { rejected, message: message instanceof Uint8Array ? Buffer.from(message).toString() : '' };
}

/** `items`: what was exported, such as `data points`. */
export function rejectionError({ rejected, message }: PartialSuccess, items: string): Error {
  const reason = message === '' ? '' : ` Its message: ${message.slice(0, maxMessageLength)}`;
  return new Error(`The collector has rejected ${rejected} ${items}.${reason}`);
}

/** Collectors choose these texts. */
const maxMessageLength = 256;

/** The varints and the byte strings of a message, by field number. Of a repeated field, the last one. */
function readFields(bytes: Uint8Array): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  let position = 0;
  const take = (length: number): Uint8Array => {
    if (position + length > bytes.length) throw new RangeError('The message is truncated.');
    position += length;
    return bytes.subarray(position - length, position);
  };
  const readVarint = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const [byte = 0] = take(1);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (position < bytes.length) {
    const tag = readVarint();
    const [field, wireType] = [Math.floor(tag / 8), tag % 8];
    if (wireType === 0) fields.set(field, readVarint());
    else if (wireType === 2) fields.set(field, take(readVarint()));
    else if (wireType === 1) take(8);
    else if (wireType === 5) take(4);
    else throw new RangeError(`The wire type ${wireType} is not known.`);
  }
  return fields;
}
