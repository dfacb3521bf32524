import {
  type DocumentNode,
  type ExecutionResult,
  extendSchema,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getOperationAST,
  isScalarType,
  Kind,
  parse,
  type SelectionSetNode,
  subscribe,
} from 'graphql';
import { GatewayError } from '../../errors.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import { cursorExtension } from '../../response/cursorExtension.ts';
import type { SubscriptionOutcome, SubscriptionPayload } from '../../response/executionOutcome.ts';
import type { EnrichmentUpdate } from '../deferredEnrichments.ts';
import { expiredTokenError } from '../expiredTokenError.ts';

/** Gives what comes for a token, from after a cursor on; `undefined` where there is nothing for it. */
export type SubscribeWithToken = (
  token: string,
  cursor: string | undefined,
) => Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined>;

const fieldName = 'enrichment';
const updateType = 'EnrichmentUpdate';

/** The API schema with `Subscription.enrichment`, or why it cannot have it: the graph uses a name for something else. */
export function addEnrichmentSubscription(
  schema: GraphQLSchema,
): { readonly schema: GraphQLSchema } | { readonly conflict: string } {
  const root = schema.getSubscriptionType();
  const rootName = root?.name ?? 'Subscription';
  if (root?.getFields()[fieldName] !== undefined) return { conflict: `${rootName}.${fieldName}` };
  if (root == null && schema.getType(rootName) !== undefined) return { conflict: rootName };
  if (schema.getType(updateType) !== undefined) return { conflict: updateType };
  const json = schema.getType('JSON');
  if (json !== undefined && !isScalarType(json)) return { conflict: 'JSON' };
  const extended = extendSchema(schema, parse(subscriptionSdl(rootName, root != null, json !== undefined)), {
    assumeValidSDL: true,
  });
  const field = extended.getSubscriptionType()?.getFields()[fieldName];
  if (field === undefined) throw new Error(`The extended schema has no ${rootName}.${fieldName}.`);
  field.subscribe = async (
    _root,
    { token }: { token: string },
    { subscribeWithToken, cursor }: SubscriptionContext,
  ) => {
    const updates = await subscribeWithToken(token, cursor);
    if (updates === undefined) throw expiredTokenError();
    return updates;
  };
  field.resolve = (update: unknown) => update;
  return { schema: extended };
}

interface SubscriptionContext {
  readonly subscribeWithToken: SubscribeWithToken;
  readonly cursor: string | undefined;
}

function subscriptionSdl(rootName: string, hasRoot: boolean, hasJson: boolean): string {
  return `
${hasJson ? '' : '"Any JSON value." scalar JSON'}
"What has come after the first answer."
type ${updateType} {
  "Where it belongs in the answer."
  path: [JSON!]!
  label: String
  data: JSON
  errors: [JSON!]
  "Whether more will come."
  hasNext: Boolean!
  "After this one, where this is the last that has been got: go on with it as \`Last-Event-ID\`."
  cursor: String!
}
${hasRoot ? 'extend ' : ''}type ${rootName} {
  "What an answer has left out, by the token that it came with."
  ${fieldName}(token: ID!): ${updateType}!
}
${hasRoot ? '' : `extend schema { subscription: ${rootName} }`}`;
}

/** Whether an operation, valid against an API schema that has the field, subscribes to what is late. */
export function isEnrichmentSubscription({ document, operationName }: OperationRequest): boolean {
  const operation = getOperationAST(document, operationName);
  return operation?.operation === 'subscription' && selectsEnrichment(operation.selectionSet, document);
}

/** One root field is all that a valid subscription has; it may stand in fragments. */
function selectsEnrichment({ selections }: SelectionSetNode, document: DocumentNode): boolean {
  return selections.some((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value === fieldName;
    if (selection.kind === Kind.INLINE_FRAGMENT) return selectsEnrichment(selection.selectionSet, document);
    const fragment = document.definitions.find(
      (definition): definition is FragmentDefinitionNode =>
        definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
    );
    return fragment !== undefined && selectsEnrichment(fragment.selectionSet, document);
  });
}

/** The updates for a token as events of a subscription.
 *  Errors: `GatewayError` `ENRICHMENT_EXPIRED`, and `BAD_USER_INPUT` for variables that do not fit. */
export async function subscribeToEnrichment(
  schema: GraphQLSchema,
  request: OperationRequest,
  follow: SubscribeWithToken,
): Promise<SubscriptionOutcome> {
  // Each event is one update, whatever of it the client has selected.
  let cursor: string | undefined;
  const context: SubscriptionContext = {
    cursor: request.resumeAfter,
    subscribeWithToken: async (...asked) => {
      const updates = await follow(...asked);
      return updates && tapIterator(updates, (update) => (cursor = update.cursor));
    },
  };
  const subscribed = await subscribe({
    schema,
    document: request.document,
    operationName: request.operationName,
    variableValues: request.variables,
    contextValue: context,
  });
  if (!(Symbol.asyncIterator in subscribed)) {
    const [error] = subscribed.errors ?? [];
    if (error?.originalError instanceof GatewayError) throw error.originalError;
    throw new GatewayError('BAD_USER_INPUT', error?.message ?? 'The subscription has no events.');
  }
  const results = subscribed[Symbol.asyncIterator]();
  const end = (): void => void results.return?.(undefined);
  request.signal.addEventListener('abort', end, { once: true });
  // The client may have left while the token was looked for.
  if (request.signal.aborted) end();
  const events: AsyncIterableIterator<SubscriptionPayload> = {
    next: async () => {
      const { done, value } = await results.next();
      if (done === true) {
        request.signal.removeEventListener('abort', end);
        return { done: true, value: undefined };
      }
      return { done: false, value: payloadOf(value, cursor) };
    },
    return: async () => {
      request.signal.removeEventListener('abort', end);
      await results.return?.(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => events,
  };
  return { kind: 'subscription', events };
}

function payloadOf({ data, errors }: ExecutionResult, cursor: string | undefined): SubscriptionPayload {
  const extensions = cursor === undefined ? {} : { extensions: cursorExtension(cursor) };
  const text = JSON.stringify({ ...(errors === undefined ? {} : { errors }), data, ...extensions });
  return { text, cursor };
}

function tapIterator<T>(
  source: AsyncIterableIterator<T>,
  note: (value: T) => void,
): AsyncIterableIterator<T> {
  const noted: AsyncIterableIterator<T> = {
    next: async () => {
      const result = await source.next();
      if (result.done !== true) note(result.value);
      return result;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => noted,
  };
  return noted;
}
