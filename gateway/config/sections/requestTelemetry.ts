import { z } from 'zod';
import { choice, flag } from '../scalars.ts';

export const accessLog = flag()
  .describe(
    'Writes one line for each operation of a client, at level `info` ([observability.md](observability.md#the-access-log)).',
  )
  .prefault(true);

export const metricsSection = z
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
