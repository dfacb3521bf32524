import { setTimeout as wait } from 'node:timers/promises';
import type { ContractStore } from '../../../contracts/contractStore.ts';
import { fetchLiveSubgraphs } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import { findDrift } from '../../../contracts/drift/findDrift.ts';
import { LastDrift } from '../../../contracts/drift/lastDrift.ts';
import { resolveSubgraphAddresses } from '../../../contracts/drift/resolveSubgraphAddresses.ts';
import { createFinding } from '../../../contracts/finding.ts';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { createReport } from '../../../contracts/report/createReport.ts';
import { ruleOf } from '../../../contracts/rules.ts';
import { applyWaivers } from '../../../contracts/store/applyWaivers.ts';
import { readContractStore } from '../../../contracts/store/readContractStore.ts';
import { suggestSubgraphs, unknownSubgraph } from '../../../contracts/store/suggestSubgraphs.ts';
import { maxDurationMs, parseDuration } from '../../config/duration.ts';
import { findConfigFile, loadConfig } from '../../config/loadConfig.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import { readStoreFingerprint } from '../../contracts/storeProbe.ts';
import { supergraphTools } from '../../contracts/supergraphTools.ts';
import { readSchemaAccess, schemaSections } from '../../subgraphs/schemaAccess.ts';
import { CommandError, type ExitCode, exitCode } from '../exitCode.ts';
import { readSupergraph } from '../readSupergraph.ts';
import { listenForStopSignals } from '../stopSignals.ts';
import { showProgress, utcDate } from './checkSetup.ts';
import { type RunningGateway, readRunningGateway } from './readRunningGateway.ts';
import { reportChanges } from './reportChanges.ts';
import { type ReportArgument, type ReportOutput, readReportOutputs, writeReport } from './reportOutputs.ts';

interface ContractsDriftOptions {
  readonly directory: string;
  readonly config?: string | undefined;
  /** The subgraphs to compare, as `NAME` or `NAME=URL`. Omitted: all. */
  readonly subgraph?: readonly string[] | undefined;
  /** URL of a gateway's admin listener. */
  readonly gateway?: string | undefined;
  readonly strict?: boolean | undefined;
  readonly watch?: boolean | undefined;
  readonly interval: string;
}

/** Compares the running subgraphs with the contracts and with the running supergraph. Resolves with the exit code;
 *  with `watch`, with that of the last check when a signal stops it.
 *  @throws {CommandError} for wrong arguments. */
export async function contractsDrift(
  options: ContractsDriftOptions,
  reportArguments: readonly ReportArgument[],
): Promise<ExitCode> {
  const outputs = readReportOutputs(reportArguments);
  const intervalMs = readInterval(options.interval);
  const selected = readSelection(options.subgraph ?? []);
  const config = readConfig(options.config, onlyOf(selected));
  const stopped = new AbortController();
  const drift = new LastDrift();
  const checkOnce = (isRepeated = false) =>
    checkDriftOnce(options, selected, config, isRepeated, drift, stopped.signal);
  if (options.watch === true) return watchDrift(checkOnce, outputs, intervalMs, stopped);
  const report = await checkOnce();
  writeReport(report, outputs);
  return report.summary.exitCode;
}

/** Checks and reports changes until a signal, or until nothing reads the output. */
async function watchDrift(
  checkOnce: (isRepeated: boolean) => Promise<CheckReport>,
  outputs: readonly ReportOutput[],
  intervalMs: number,
  stopped: AbortController,
): Promise<ExitCode> {
  const ignoreSignals = listenForStopSignals({
    onStop: () => stopped.abort(),
    onForcedStop: () => process.exit(exitCode.failed),
  });
  const stopAtClosedOutput = () => stopped.abort();
  process.stdout.on('error', stopAtClosedOutput);
  let last: CheckReport | undefined;
  try {
    for (;;) {
      const report = await checkOnce(last !== undefined);
      reportChanges(last, report, outputs);
      last = report;
      await wait(intervalMs, undefined, { signal: stopped.signal });
    }
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    return last?.summary.exitCode ?? exitCode.undecided;
  } finally {
    ignoreSignals();
    process.stdout.off('error', stopAtClosedOutput);
  }
}

async function checkDriftOnce(
  { directory, gateway: adminUrl, strict = false, watch = false }: ContractsDriftOptions,
  selected: Selection,
  config: GatewayConfig | undefined,
  isRepeated: boolean,
  drift: LastDrift,
  signal: AbortSignal,
): Promise<CheckReport> {
  const fingerprint = await readStoreFingerprint(directory);
  const store = await readContractStore(directory);
  const gateway = await readGateway(adminUrl, config, isRepeated, signal);
  const known = resolveSubgraphAddresses({
    store,
    config,
    overrides: selected.urls,
    gateway: gateway.subgraphs,
  });
  const only = onlyOf(selected);
  const addresses = known.filter(({ name }) => only === undefined || only.has(name));
  const unknown = [...selected.names].filter(
    (name) => !store.schemas.has(name) && !addresses.some((address) => address.name === name),
  );
  const live = await fetchLiveSubgraphs(addresses, { signal, accessOf: await readSchemaAccess(config) });
  const onProgress = watch ? undefined : showProgress;
  const { findings } = await drift.update([fingerprint, live, gateway.sdl], () =>
    findDrift({ store, live, only, supergraphSdl: gateway.sdl, onProgress }, supergraphTools),
  );
  // Problems of the waivers themselves are reported by `contracts check`.
  const waivers = store.waivers.filter(
    ({ rule, expires }) => utcDate() <= expires && ruleOf(rule).unwaivable === undefined,
  );
  const found = [
    ...store.problems,
    ...gateway.findings,
    ...unknown.map((name) => unknownSubgraph(name, store.schemas, store.directory)),
    ...suggestSubgraphs(findings, selected.names, store.schemas),
  ];
  const all = applyWaivers(found, waivers, utcDate(), { isEvaluated: () => false });
  return createReport({ findings: all, strict, checked: checkScopeOf(store, addresses.length) });
}

function checkScopeOf({ directory, operations }: ContractStore, subgraphs: number) {
  const consumers = new Set(operations.map(({ consumer }) => consumer)).size;
  return { directory, subgraphs, consumers, operations: operations.length };
}

async function readGateway(
  adminUrl: string | undefined,
  config: GatewayConfig | undefined,
  isRepeated: boolean,
  signal: AbortSignal,
): Promise<RunningGateway> {
  if (adminUrl !== undefined) return readRunningGateway(adminUrl, signal);
  const source = config?.supergraph;
  const subgraphs = new Map<string, string>();
  if (source === undefined || 'subgraphs' in source) return { subgraphs, findings: [] };
  try {
    return { sdl: await readSupergraph(source, signal), subgraphs, findings: [] };
  } catch (error) {
    // The first check shows that the configuration is right. Later, the source may be readable again at the next one.
    if (!isRepeated || !(error instanceof CommandError)) throw error;
    const finding = createFinding('gateway-unreachable', { message: error.message });
    return { subgraphs, findings: [finding] };
  }
}

/** No configuration is needed when arguments name the subgraphs and the gateway. */
function readConfig(
  file: string | undefined,
  subgraphs: ReadonlySet<string> | undefined,
): GatewayConfig | undefined {
  const found = findConfigFile(file);
  return found === undefined
    ? undefined
    : loadConfig({ file: found, sections: schemaSections, subgraphs, env: process.env });
}

function readInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= maxDurationMs) return ms;
  throw new CommandError(
    exitCode.usageError,
    `--interval is "${text}"; expected: a duration longer than 0, such as 500ms, 30s or 5m.`,
  );
}

interface Selection {
  readonly names: ReadonlySet<string>;
  /** URLs of subgraphs, instead of those from other sources. */
  readonly urls: ReadonlyMap<string, string>;
}

/** The subgraphs to compare; `undefined`: all. */
function onlyOf({ names }: Selection): ReadonlySet<string> | undefined {
  return names.size === 0 ? undefined : names;
}

function readSelection(given: readonly string[]): Selection {
  const names = new Set<string>();
  const urls = new Map<string, string>();
  for (const argument of given) {
    const [, name, url] = /^([^=]+)(?:=(https?:\/\/.+))?$/i.exec(argument) ?? [];
    if (name === undefined || (url !== undefined && !URL.canParse(url))) {
      throw new CommandError(
        exitCode.usageError,
        `--subgraph is "${argument}"; expected: the NAME of a subgraph, or NAME=URL.`,
      );
    }
    names.add(name);
    if (url !== undefined) urls.set(name, url);
  }
  return { names, urls };
}
