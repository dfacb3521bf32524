import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { TextKey } from '../sharing/textMap.ts';

/** Equal for two requests of one prepared operation exactly if everything is equal that may change the response: format,
 *  identity, what subgraphs get, variables, and `FetchSender.readVersion`. `undefined` for a request that must not share
 *  its response: mutations, responses with a token or with headers of subgraphs, and recorded traces, which have their own
 *  spans. */
export function responseKeyOf(
  operation: PreparedOperation,
  { incrementalFormat, variables, trace }: OperationRequest,
  context: RequestContext,
  readVersion: string | undefined,
): TextKey | undefined {
  const { kind, program, enrichments } = operation;
  const { preferences, responseHeaderCollector } = context;
  if (kind !== 'query' || enrichments.length > 0 || program.steps.length === 0) return undefined;
  if (trace !== undefined || responseHeaderCollector !== undefined) return undefined;
  try {
    const partition = partitionKeyOf(operation, context);
    return new TextKey(
      `${incrementalFormat} ${preferences.priority} ${readVersion} ${partition}`,
      JSON.stringify(variables),
    );
  } catch {
    // A header that no subgraph may get, or variables that are nested too deeply. The fetch reports it.
    return undefined;
  }
}

/** Equal for two requests of one prepared operation whose clients may get the same data for the same variables: by identity,
 *  sharing key, and the headers that each subgraph gets.
 *  @throws {GatewayError} for a header that no subgraph may get. */
export function partitionKeyOf({ program }: PreparedOperation, context: RequestContext): string {
  const { identity, sharingKey } = context;
  let key = (identity === undefined ? 'anonymous' : withLength(identity)) + withLength(sharingKey);
  let previous: string | undefined;
  for (const { shape } of program.steps) {
    const forwarded = context.headersFor(shape.subgraph).key;
    // Most subgraphs get the same headers.
    key += forwarded === previous ? '=' : withLength(forwarded);
    previous = forwarded;
  }
  return key;
}

/** No two lists of texts give the same text. */
function withLength(text: string): string {
  return `${text.length}:${text}`;
}
