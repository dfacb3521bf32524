import { type DocumentNode, type GraphQLError, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { isNestedDeeperThan } from '../json/isNestedDeeperThan.ts';
import {
  describeExceededLimit,
  type ExceededLimit,
  findExceededLimit,
  findExceededTextLimit,
  type OperationLimits,
} from '../operation/operationLimits.ts';
import { findConditionalRootFields } from '../operation/validateDocument.ts';
import { HttpError } from './httpError.ts';
import { textSizeOf } from './textSizedCache.ts';

interface TextLimitCheckOptions {
  readonly limits: OperationLimits;
  /** Size of the cache of operation texts within the limits, in characters. */
  readonly textCacheSize: number;
}

/** Creates the check of an operation's text that runs before Apollo Server parses it. The check throws an `HttpError` with
 *  `OPERATION_TOO_COMPLEX` for a text beyond the limits, and with `GRAPHQL_VALIDATION_FAILED` for one that Apollo Server's
 *  validation cannot report. A text with a syntax error passes: Apollo Server reports it. A text that passed before costs one
 *  look-up. */
export function createTextLimitCheck(options: TextLimitCheckOptions): (text: string) => void {
  const { limits } = options;
  const accepted = new LRUCache<string, true>({
    maxSize: options.textCacheSize,
    sizeCalculation: (_, text) => textSizeOf(text.length),
  });
  return (text) => {
    if (accepted.get(text) === true) return;
    const refusal = findRefusal(text, limits);
    if (refusal !== undefined) throw refusal;
    accepted.set(text, true);
  };
}

/** Creates the check of an operation's variables. The check throws an `HttpError` if lists and objects nest deeper than
 *  selection sets may: graphql-js and the gateway read them recursively. */
export function createVariableDepthCheck({
  depth,
}: Pick<OperationLimits, 'depth'>): (variables: unknown) => void {
  return (variables) => {
    if (typeof variables !== 'object' || variables === null) return;
    // `Object.entries` takes 100 ms for 1 MB of names.
    for (const name in variables) {
      if (!isNestedDeeperThan((variables as Record<string, unknown>)[name], depth)) continue;
      throw new HttpError(
        400,
        `The variable ${JSON.stringify(name)} is nested more than ${depth} levels deep (limits.depth).`,
        { code: 'OPERATION_TOO_COMPLEX', extensions: { limit: 'depth', value: depth + 1, allowed: depth } },
      );
    }
  };
}

function findRefusal(text: string, limits: OperationLimits): HttpError | undefined {
  const exceededByText = findExceededTextLimit(text, limits);
  if (exceededByText !== undefined) return tooComplexError(exceededByText);
  let document: DocumentNode;
  try {
    document = parse(text, { noLocation: true });
  } catch {
    return undefined;
  }
  const exceeded = findExceededLimit(document, limits);
  if (exceeded !== undefined) return tooComplexError(exceeded);
  if (findConditionalRootFields(document).length === 0) return undefined;
  const [{ message, locations }] = findConditionalRootFields(parse(text)) as [GraphQLError];
  return new HttpError(400, message, { code: 'GRAPHQL_VALIDATION_FAILED', locations });
}

function tooComplexError(exceeded: ExceededLimit): HttpError {
  return new HttpError(400, describeExceededLimit(exceeded), {
    code: 'OPERATION_TOO_COMPLEX',
    extensions: { ...exceeded },
  });
}
