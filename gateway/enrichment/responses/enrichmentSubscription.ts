import {
  type DocumentNode,
  type ExecutionResult,
  type FragmentDefinitionNode,
  GraphQLBoolean,
  type GraphQLFieldConfig,
  GraphQLID,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  getOperationAST,
  isScalarType,
  Kind,
  type SelectionSetNode,
  subscribe,
} from 'graphql';
import { GatewayError } from '../../errors.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import { cursorExtension } from '../../response/cursorExtension.ts';
import type { SubscriptionOutcome } from '../../response/executionOutcome.ts';
import { inspectEach } from '../../response/inspectEach.ts';
import type { SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { EnrichmentUpdate } from '../deferredEnrichments.ts';
import { expiredTokenError } from '../expiredTokenError.ts';

/** Subscribes to the updates of a token after a cursor; `undefined` for an unknown token. */
export type SubscribeWithToken = (
  token: string,
  cursor: string | undefined,
) => Promise<AsyncIterable<EnrichmentUpdate> | undefined>;

const fieldName = 'enrichment';
const updateType = 'EnrichmentUpdate';

/** Returns the API schema with `Subscription.enrichment`, or the name in conflict if the graph uses it for something else. The
 *  given schema must not be used any more, because both share the subscription type. */
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
  const field = createField(json ?? new GraphQLScalarType({ name: 'JSON', description: 'Any JSON value.' }));
  const added = new GraphQLObjectType({ name: rootName, fields: { [fieldName]: field } });
  // The other types remain the same objects: copying them, as `extendSchema` does, and validating the copies would take
  // longer than a large graph may block the event loop. Other types may refer to the root type, so that it gets the field.
  if (root != null) Object.assign(root.getFields(), added.getFields());
  return {
    schema: new GraphQLSchema({ ...schema.toConfig(), subscription: root ?? added, assumeValid: true }),
  };
}

function createField(json: GraphQLScalarType): GraphQLFieldConfig<unknown, SubscriptionContext> {
  const required = (type: GraphQLOutputType) => new GraphQLNonNull(type);
  const update = new GraphQLObjectType({
    name: updateType,
    description: 'The value of a field that was pending in the first response.',
    fields: {
      path: {
        type: required(new GraphQLList(required(json))),
        description: 'Path of the field in the response.',
      },
      label: { type: GraphQLString },
      data: { type: json },
      errors: { type: new GraphQLList(required(json)) },
      hasNext: { type: required(GraphQLBoolean), description: 'Whether more updates will follow.' },
      cursor: {
        type: required(GraphQLString),
        description: 'To resume after this update, send the cursor as `Last-Event-ID`.',
      },
    },
  });
  return {
    type: required(update),
    description: 'The pending fields of a response, by the token in its extensions.',
    args: { token: { type: new GraphQLNonNull(GraphQLID) } },
    subscribe: subscribeToUpdates,
    resolve: identity,
  };
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
  const recordCursor = async (update: EnrichmentUpdate): Promise<void> => {
    cursor = update.cursor;
  };
  const context: SubscriptionContext = {
    cursor: request.resumeAfter,
    subscribeWithToken: async (...query) => {
      const updates = await subscribeWithToken(...query);
      return updates && inspectEach(updates, recordCursor);
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
