import type { BenchEnvironment } from './benchEnvironment.ts';
import type { FirstPayloadResult } from './firstPayload.ts';
import { operationText, withoutDefer } from './operations.ts';
import { median } from './percentile.ts';
import { referenceAnswer } from './reference.ts';
import type { DeferScenario } from './scenarios.ts';
import type { RunningTarget } from './startTarget.ts';
import type { Target } from './targets/target.ts';
import type { RoundOptions } from './throughput.ts';
import { messageOf } from './throughput.ts';

export interface DeferReport {
  readonly scenario: string;
  readonly kind: 'defer';
  readonly delayMs: number;
  readonly rows: readonly DeferRow[];
}

interface DeferRow {
  readonly target: string;
  /** Results by round: `prompt` without the slow field, `deferred` with the slow field deferred. */
  readonly prompt: readonly FirstPayloadResult[];
  readonly deferred: readonly FirstPayloadResult[];
  /** The p99 of the first payload with the slow field deferred, minus that without the slow field. Median over the
   *  rounds. */
  readonly firstP99DifferenceMs?: number;
  readonly failure?: string;
}

export async function measureDeferral(
  scenario: DeferScenario,
  targets: readonly Target[],
  environment: BenchEnvironment,
  options: RoundOptions,
  log: (line: string) => void,
): Promise<DeferReport> {
  const rows: DeferRow[] = [];
  for (const target of targets) rows.push(await measureTarget(scenario, target, environment, options, log));
  return { scenario: scenario.name, kind: 'defer', delayMs: scenario.slow.delayMs, rows };
}

async function measureTarget(
  scenario: DeferScenario,
  target: Target,
  environment: BenchEnvironment,
  options: RoundOptions,
  log: (line: string) => void,
): Promise<DeferRow> {
  const prompt: FirstPayloadResult[] = [];
  const deferred: FirstPayloadResult[] = [];
  const { subgraph, text, delayMs } = scenario.slow;
  try {
    const running = await environment.startTarget(target, { sharing: scenario.sharing });
    await environment.setDelay({ subgraph, text, delayMs });
    const run = (operation: 'prompt' | 'deferred', seconds: number) =>
      environment.runFirstPayload({
        kind: 'first-payload',
        ...request(scenario, running, operation),
        requestsPerSecond: scenario.requestsPerSecond,
        measureMs: seconds * 1000,
      });
    await run('prompt', options.firstWarmUpSeconds);
    await run('deferred', options.firstWarmUpSeconds);
    for (let round = 0; round < options.rounds; round++) {
      prompt.push(await run('prompt', options.seconds));
      deferred.push(await run('deferred', options.seconds));
      log(
        `${scenario.name} round ${round + 1} ${target.name}: first payload p99 ` +
          `${prompt.at(-1)?.firstP99Ms.toFixed(1)} ms prompt, ${deferred.at(-1)?.firstP99Ms.toFixed(1)} ms deferred`,
      );
    }
    await running.child.stop();
  } catch (error) {
    log(`${target.name}: ${messageOf(error)}`);
    return { target: target.name, prompt, deferred, failure: messageOf(error) };
  } finally {
    await environment.setDelay({ subgraph });
  }
  const p99 = (results: readonly FirstPayloadResult[]) => median(results.map(({ firstP99Ms }) => firstP99Ms));
  return { target: target.name, prompt, deferred, firstP99DifferenceMs: p99(deferred) - p99(prompt) };
}

function request(scenario: DeferScenario, { url }: RunningTarget, operation: 'prompt' | 'deferred') {
  const query = operationText(scenario[operation]);
  // The reference does not support `@defer`, which does not change the merged response.
  const expected = referenceAnswer(withoutDefer(query));
  return { url, query, expected, incremental: operation === 'deferred' };
}
