import { z } from 'zod';
import { choice, flag, ratio, text } from '../scalars.ts';
import { requestHeaders } from './requestHeaders.ts';

export const otlp = z
  .strictObject({
    endpoint: text({
      title: 'address',
      expected: 'an http:// or https:// address without ? and #, or nothing',
      isValid: (value) => value === '' || (/^https?:\/\/[^?#]+$/i.test(value) && URL.canParse(value)),
    })
      .describe(
        'Base URL of an OpenTelemetry collector, such as `http://localhost:4318`. Empty: tracing is off, and no metrics are exported.',
      )
      .prefault(''),
    headers: requestHeaders.describe('Headers that the collector gets, such as an API key.').prefault({}),
    protocol: choice(['http/protobuf']).describe('The protocol of the collector.').prefault('http/protobuf'),
    sampleRatio: ratio()
      .describe('Which part of the requests is recorded, for requests that do not come with a trace.')
      .prefault(1),
    documents: flag()
      .describe(
        'Adds the text of operations to their spans (`graphql.document`), with empty values instead of all literals.',
      )
      .prefault(false),
  })
  .describe('Export of traces, and of metrics (`metrics.otlp`), with OTLP.')
  .prefault({});
