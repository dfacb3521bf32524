import { z } from 'zod';
import { baseUrl, choice, flag, ratio } from '../scalars.ts';
import { requestHeaders } from './requestHeaders.ts';

const metrics = z
  .strictObject({
    operationNames: choice(['trusted', 'all', 'off'])
      .describe(
        'Which operations have metrics of their own; the others are `other`. `trusted`: those with the name of a trusted document (`security.trustedDocuments`) or of an operation of the contracts. `all`: the first 500 names that clients send. `off`: none.',
      )
      .prefault('trusted'),
    otlp: flag()
      .describe(
        'Exports the metrics every minute to the collector at `telemetry.otlp.endpoint` as well ([observability.md](observability.md#metrics-over-otlp)). With `workers`, each worker exports its own.',
      )
      .prefault(false),
  })
  .describe('Metrics for Prometheus, and for OpenTelemetry.');

const otlp = z
  .strictObject({
    endpoint: baseUrl()
      .describe(
        'Base URL of an OpenTelemetry collector, such as `http://localhost:4318`. Empty: tracing is off, and no metrics are exported.',
      )
      .prefault(''),
    headers: requestHeaders.describe('Headers that the collector gets, such as an API key.').prefault({}),
    protocol: choice(['http/protobuf'])
      .describe(
        'OTLP over HTTP in protobuf, for which collectors have port 4318 by default. There is no other one.',
      )
      .prefault('http/protobuf'),
    sampleRatio: ratio()
      .describe('Which part of the requests is recorded, for requests that do not come with a trace.')
      .prefault(1),
    documents: flag()
      .describe(
        'Adds the text of operations to their spans (`graphql.document`), with empty values instead of all literals.',
      )
      .prefault(false),
  })
  .describe('Export of traces, and of metrics (`metrics.otlp`), with OTLP.');

export const telemetrySection = z
  .strictObject({
    logLevel: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
      .describe('Minimum level of log lines.')
      .prefault('info'),
    logFormat: choice(['json', 'pretty'])
      .describe(
        '`json`: one line of JSON for each log line. `pretty`: lines for people, as in `tributary dev`.',
      )
      .prefault('json'),
    accessLog: flag()
      .describe(
        'Writes one line for each operation of a client, at level `info` ([observability.md](observability.md#the-access-log)).',
      )
      .prefault(true),
    metrics: metrics.prefault({}),
    otlp: otlp.prefault({}),
  })
  .describe('Logs, metrics and traces of the gateway.');
