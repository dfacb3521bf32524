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
import type { SubscriptionOutcome } from '../../response/executionOutcome.ts';
import type { SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { EnrichmentUpdate } from '../deferredEnrichments.ts';
import { expiredTokenError } from '../expiredTokenError.ts';

/** Subscribes to the updates of a token after a cursor; `undefined` for an unknown token. */
export type SubscribeWithToken = (
  token: string,
  cursor: string | undefined,
) => Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined>;

const fieldName = 'enrichment';
const updateType = 'EnrichmentUpdate';

/** Adds `Subscription.enrichment` to the API schema; returns the name in conflict if the graph uses it for something else. */
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
  // Both are valid. Without `assumeValid`, the first operation would wait for the validation of the whole schema.
  const extended = extendSchema(schema, parse(subscriptionSdl(rootName, root != null, json !== undefined)), {
    assumeValid: true,
  });
  const field = extended.getSubscriptionType()?.getFields()[fieldName];
  if (field === undefined) throw new Error(`The extended schema has no ${rootName}.${fieldName}.`);
  field.subscribe = subscribeToUpdates;
  field.resolve = identity;
  return { schema: extended };
}

async function subscribeToUpdates(
  _root: unknown,
  { token }: { readonly token: string },
  { subscribeWithToken, cursor }: SubscriptionContext,
): Promise<unknown> {
  const updates = await subscribeWithToken(token, cursor);
  if (updates === undefined) throw expiredTokenError();
  return updates;
}

function identity(update: unknown): unknown {
  return update;
}

interface SubscriptionContext {
  readonly subscribeWithToken: SubscribeWithToken;
  readonly cursor: string | undefined;
}

function subscriptionSdl(rootName: string, hasRoot: boolean, hasJson: boolean): string {
  return `
${hasJson ? '' : '"Any JSON value." scalar JSON'}
"The value of a field that was pending in the first response."
type ${updateType} {
  "Path of the field in the response."
  path: [JSON!]!
  label: String
  data: JSON
  errors: [JSON!]
  "Whether more updates will follow."
  hasNext: Boolean!
  "To resume after this update, send the cursor as \`Last-Event-ID\`."
  cursor: String!
}
${hasRoot ? 'extend ' : ''}type ${rootName} {
  "The pending fields of a response, by the token in its extensions."
  ${fieldName}(token: ID!): ${updateType}!
}
${hasRoot ? '' : `extend schema { subscription: ${rootName} }`}`;
}

/** Whether an operation that is valid against an extended API schema subscribes to pending enrichments. */
export function isEnrichmentSubscription({ document, operationName }: OperationRequest): boolean {
  const operation = getOperationAST(document, operationName);
  return operation?.operation === 'subscription' && selectsEnrichment(operation.selectionSet, document);
}

/** A valid subscription has one root field, which may be in a fragment. */
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

/** The updates of a token as events of a subscription.
 *  @throws {GatewayError} `ENRICHMENT_EXPIRED`, and `BAD_USER_INPUT` for invalid variables. */
export async function subscribeToEnrichment(
  schema: GraphQLSchema,
  request: OperationRequest,
  subscribeWithToken: SubscribeWithToken,
): Promise<SubscriptionOutcome> {
  // Each event is one update, whichever of its fields the client has selected.
  let cursor: string | undefined;
  const context: SubscriptionContext = {
    cursor: request.resumeAfter,
    subscribeWithToken: async (...query) => {
      const updates = await subscribeWithToken(...query);
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
  // The client may have disconnected while the token was looked up.
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
  onValue: (value: T) => void,
): AsyncIterableIterator<T> {
  const tapped: AsyncIterableIterator<T> = {
    next: async () => {
      const result = await source.next();
      if (result.done !== true) onValue(result.value);
      return result;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => tapped,
  };
  return tapped;
}
