import { formatDuration } from '../../gateway/config/duration.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import type { ConsumerPlan } from '../graph/planConsumerOperations.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';

interface LatencyComparison {
  readonly operation: ConsumerOperation;
  readonly before: ConsumerPlan | undefined;
  readonly after: ConsumerPlan | undefined;
  /** Milliseconds that a fetch takes. */
  readonly stepLatencyMs: number;
}

/** Says of an operation that fetches which its first answer waits for in any case, one after the other, take longer
 *  than its consumer relies on; `undefined` where they do not, or it is not known. */
export function evaluateLatencySlo({
  operation,
  before,
  after,
  stepLatencyMs,
}: LatencyComparison): Finding | undefined {
  const { consumer, name, slo } = operation;
  const { latency } = slo;
  const steps = depthOf(after);
  if (latency === undefined || steps === undefined || steps * stepLatencyMs <= latency) return undefined;
  const said = `${steps} fetch${steps === 1 ? '' : 'es one after the other'} of ${formatDuration(stepLatencyMs)}`;
  const finding = createFinding('latency-slo', {
    severity: 'breaking',
    message: `${consumer}/${name} relies on a first answer within ${formatDuration(latency)}, which waits for ${said}.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, `waits for ${said}`)],
  });
  const earlier = depthOf(before);
  return earlier !== undefined && earlier * stepLatencyMs > latency ? markUnchanged(finding) : finding;
}

function depthOf(planned: ConsumerPlan | undefined): number | undefined {
  return planned?.kind === 'planned' ? planned.firstResponseDepth : undefined;
}
