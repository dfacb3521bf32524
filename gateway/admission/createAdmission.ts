import type { OperationLimits } from '../operation/operationLimits.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { PluginLog } from '../telemetry/logger.ts';
import type { Tracing } from '../telemetry/trace.ts';
import { systemTimers, type Timers } from '../time/timers.ts';
import { Admission } from './admission.ts';
import { createApolloPipeline, type ExecuteOperation } from './apolloPipeline.ts';
import type { Authentication } from './authentication/authentication.ts';
import type { ClientRequest, GatewayPlugin } from './clientRequest.ts';
import { PersistedQueryStore } from './documents/persistedQueryStore.ts';
import type { SharedPersistedQueries } from './documents/sharedPersistedQueries.ts';
import type { TrustedDocuments } from './documents/trustedDocuments.ts';
import { createErrorFormatter } from './errorFormatter.ts';
import { createTextLimitCheck, createVariableDepthCheck } from './limitChecks.ts';
import { ValidatedOperationCache } from './validatedOperationCache.ts';

export interface AdmissionSettings {
  readonly supergraphs: SupergraphView;
  readonly executeOperation: ExecuteOperation;
  /** See `TrafficControl.checkRequest`. Default: no request is shed. */
  readonly checkLoad?: (client: Pick<ClientRequest, 'headers' | 'caller'>) => void;
  /** Default: off. */
  readonly tracing?: Tracing | undefined;
  readonly limits: OperationLimits & { readonly batchedOperations: number };
  readonly security: { readonly introspection: boolean; readonly suggestions: boolean };
  /** Default: off. */
  readonly trustedDocuments?: TrustedDocuments | undefined;
  /** Automatic persisted queries. Default: texts in this process only. */
  readonly persistedQueries?: {
    readonly isEnabled: boolean;
    readonly shared: Pick<SharedPersistedQueries, 'get' | 'set'> | undefined;
  };
  /** Maximum number of parsed operations. */
  readonly documentCacheSize: number;
  /** Size in characters of each of three caches of operation texts: checked, parsed, and persisted. */
  readonly textCacheSize: number;
  readonly plugins?: readonly GatewayPlugin[];
  /** Default: real time. */
  readonly timers?: Timers;
  readonly log: PluginLog;
}

/** Creates the admission of operations, which all transports share. The caller stops `apollo` when the transports are
 *  closed. */
export function createAdmission(options: AdmissionSettings, authentication: Authentication) {
  const { supergraphs, limits, security, log } = options;
  const plugins = options.plugins ?? [];
  const checkText = createTextLimitCheck({ limits, textCacheSize: options.textCacheSize });
  const persistedQueries = createPersistedQueryStore(options, checkText);
  const validatedOperations =
    plugins.length === 0
      ? new ValidatedOperationCache(options.documentCacheSize, options.textCacheSize, persistedQueries)
      : undefined;
  supergraphs.onChange(() => validatedOperations?.clear());
  const apollo = createApolloPipeline({
    supergraphs,
    executeOperation: options.executeOperation,
    introspection: security.introspection,
    suggestions: security.suggestions,
    maxRecursiveSelections: limits.recursiveSelections,
    plugins,
    validatedOperations,
    documentCacheSize: options.documentCacheSize,
    textCacheSize: options.textCacheSize,
    persistedQueries,
    tracing: options.tracing,
    timers: options.timers ?? systemTimers,
    log,
  });
  const admission = new Admission({
    supergraphs,
    apollo,
    validatedOperations,
    trustedDocuments: options.trustedDocuments,
    executeOperation: options.executeOperation,
    authentication,
    checkLoad: options.checkLoad ?? (() => {}),
    tracing: options.tracing,
    formatError: createErrorFormatter(security),
    checkText,
    checkVariables: createVariableDepthCheck(limits),
    maxBatchedOperations: limits.batchedOperations,
  });
  return { admission, apollo };
}

/** The store of automatic persisted queries; `undefined` if they are off. */
function createPersistedQueryStore(
  { persistedQueries, trustedDocuments, textCacheSize }: AdmissionSettings,
  checkText: (text: string) => void,
): PersistedQueryStore | undefined {
  // A store without a text: only trusted documents are found, and none is registered.
  if (trustedDocuments?.isRequired === true) {
    return new PersistedQueryStore({ textCacheSize, shared: undefined, checkText });
  }
  if (persistedQueries?.isEnabled === false) return undefined;
  return new PersistedQueryStore({ textCacheSize, shared: persistedQueries?.shared, checkText });
}
