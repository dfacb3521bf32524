import { type ApolloCache, type ApolloClient, ApolloLink, gql, type StoreObject } from '@apollo/client/core';
import { type DocumentNode, type FieldNode, Kind, type SelectionNode } from 'graphql';
import { tap } from 'rxjs';
import { type EnrichmentUpdate, enrichmentTokenOf, valueAt, withUpdate } from './enrichmentUpdates.ts';

// A template, in which tools that make manifests find it.
const subscriptionDocument = gql`
  subscription Enrichment($token: ID!) {
    enrichment(token: $token) { path data errors hasNext }
  }
`;

/** A link to put before the `HttpLink`. It writes enrichment updates to the cache, so that components render them. It sends
 *  the operation again, once, if the updates end early, for example because the connection is lost or the token has
 *  expired, and if a list has changed so that it has no position for an update. `getClient` is called when a first response
 *  arrives. */
export function enrichmentLink(getClient: () => ApolloClient): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      tap(({ data, extensions }) => {
        const token = enrichmentTokenOf(extensions);
        // Later payloads of a response with `@defer` repeat the token.
        if (token !== undefined && data) writeUpdates(getClient(), operation, token, data);
      }),
    ),
  );
}

function writeUpdates(
  client: ApolloClient,
  operation: ApolloLink.Operation,
  token: string,
  data: object,
): void {
  const { query, variables } = operation;
  const { headers, isSentAgain } = operation.getContext();
  let answer = data;
  let hasNext = true;
  let areWritten = true;
  const updates = client
    .subscribe<{ readonly enrichment: EnrichmentUpdate }>({
      query: subscriptionDocument,
      variables: { token },
      fetchPolicy: 'no-cache',
      context: { headers },
    })
    .subscribe({
      next: ({ data }) => {
        if (!data) return;
        const update = data.enrichment;
        hasNext = update.hasNext;
        answer = withUpdate(answer, update);
        areWritten = writeField(client.cache, operation, answer, update.path) && areWritten;
      },
      // Also follows each error.
      complete: () => {
        if ((!hasNext && areWritten) || isSentAgain) return;
        const context = { headers, isSentAgain: true };
        // After a failure, the fields stay null.
        client.query({ query, variables, context, fetchPolicy: 'network-only' }).catch(() => {});
      },
    });
  // The next user may be another one.
  const stop = async (): Promise<void> => updates.unsubscribe();
  updates.add(client.onClearStore(stop));
  updates.add(client.onResetStore(stop));
}

/** Writes the pending field at `path` to the nearest object that has an identity in the cache: the lists around it may have
 *  changed since. A field that is not null any more has a newer value. Returns false for the element of a list, without an
 *  object with an identity between, whose position has another element. */
function writeField(
  cache: ApolloCache,
  { query, variables }: ApolloLink.Operation,
  answer: object,
  path: EnrichmentUpdate['path'],
): boolean {
  const objectAt = (depth: number) => valueAt(answer, path.slice(0, depth)) as StoreObject;
  let depth = path.length - 1;
  while (depth > 0 && cache.identify(objectAt(depth)) === undefined) depth -= 1;
  const object = objectAt(depth);
  const key = path[depth] as string;
  const selections = path
    .slice(0, depth)
    .filter((step) => typeof step === 'string')
    .reduce(
      (selected, step) =>
        fieldsNamed(step, selected, query).flatMap(({ selectionSet }) => selectionSet?.selections ?? []),
      query.definitions.flatMap((each) =>
        each.kind === Kind.OPERATION_DEFINITION ? each.selectionSet.selections : [],
      ),
    );
  const type = object.__typename ?? 'Query';
  const field = {
    id: cache.identify(object) ?? 'ROOT_QUERY',
    fragment: fragmentOf(type, fieldsNamed(key, selections, query), query),
    fragmentName,
    variables,
  };
  const remainingPath = path.slice(depth);
  if (valueAt(cache.readFragment(field), remainingPath) !== null)
    return !remainingPath.some((step) => typeof step === 'number');
  cache.writeFragment({ ...field, data: { __typename: type, [key]: object[key] } });
  return true;
}

const fragmentName = 'EnrichedField';

function fragmentOf(type: string, selections: readonly FieldNode[], query: DocumentNode): DocumentNode {
  const name = (value: string) => ({ kind: Kind.NAME, value }) as const;
  return {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        kind: Kind.FRAGMENT_DEFINITION,
        name: name(fragmentName),
        typeCondition: { kind: Kind.NAMED_TYPE, name: name(type) },
        selectionSet: { kind: Kind.SELECTION_SET, selections },
      },
      ...query.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION),
    ],
  };
}

/** The fields of a selection set with this key in the response, those of its fragments included. */
function fieldsNamed(key: string, selections: readonly SelectionNode[], query: DocumentNode): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD)
      return (selection.alias ?? selection.name).value === key ? selection : [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return fieldsNamed(key, selection.selectionSet.selections, query);
    }
    const fragments = query.definitions.filter((each) => each.kind === Kind.FRAGMENT_DEFINITION);
    const fragment = fragments.find(({ name }) => name.value === selection.name.value);
    return fragment === undefined ? [] : fieldsNamed(key, fragment.selectionSet.selections, query);
  });
}
