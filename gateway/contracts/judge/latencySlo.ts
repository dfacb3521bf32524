import { formatDuration } from '../../config/duration.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import type { PlannedConsumer } from '../graph/planConsumers.ts';
import { affected, atOperation } from './affected.ts';
import { asBefore } from './asBefore.ts';

export interface LatencyQuestion {
  readonly operation: ConsumerOperation;
  readonly before: PlannedConsumer | undefined;
  readonly after: PlannedConsumer | undefined;
  /** Milliseconds that a fetch takes. */
  readonly stepLatencyMs: number;
}

/** Says of an operation that fetches which its first answer waits for in any case, one after the other, take longer
 *  than its consumer relies on; `undefined` where they do not, or it is not known. */
export function judgeLatency({
  operation,
  before,
  after,
  stepLatencyMs,
}: LatencyQuestion): Finding | undefined {
  const { consumer, name, slo } = operation;
  const { latency } = slo;
  const steps = stepsOf(after);
  if (latency === undefined || steps === undefined || steps * stepLatencyMs <= latency) return undefined;
  const said = `${steps} fetch${steps === 1 ? '' : 'es one after the other'} of ${formatDuration(stepLatencyMs)}`;
  const finding: Finding = {
    rule: 'latency-slo',
    severity: 'breaking',
    message: `${consumer}/${name} relies on a first answer within ${formatDuration(latency)}, which waits for ${said}.`,
    advice:
      'Let a subgraph that is asked earlier serve or @provides what is fetched last, let it come late, or agree with the consumer on another `# @slo latency`.',
    ...atOperation(operation),
    affects: [affected(operation, `waits for ${said}`)],
  };
  const earlier = stepsOf(before);
  return earlier !== undefined && earlier * stepLatencyMs > latency ? asBefore(finding) : finding;
}

function stepsOf(planned: PlannedConsumer | undefined): number | undefined {
  return planned?.kind === 'planned' ? planned.firstAnswerSteps : undefined;
}
