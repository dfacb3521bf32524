import type { IncomingMessage, Server } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { useServer as attachGraphQL } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { RequestRecorder } from './requestLog.ts';

interface ServeSubscriptionsOptions {
  readonly server: Server;
  readonly schema: GraphQLSchema;
  /** Creates the resolvers' context of one operation. The signal aborts when the operation ends. */
  readonly createContext: (authorization: unknown, signal: AbortSignal) => object;
  readonly record: RequestRecorder['record'];
}

interface Connection {
  readonly request: IncomingMessage;
}

interface Operation {
  readonly abort: AbortController;
  readonly settle: ReturnType<RequestRecorder['record']>;
}

/** Serves operations over `graphql-transport-ws` on `/ws` of the server. */
export function serveSubscriptions({ server, schema, createContext, record }: ServeSubscriptionsOptions) {
  /** Operations by connection and by the client's operation id, which is unique within its connection only. */
  const operations = new WeakMap<object, Map<string, Operation>>();

  function operationsOf(connection: Connection): Map<string, Operation> {
    const known = operations.get(connection);
    if (known !== undefined) return known;
    const fresh = new Map<string, Operation>();
    operations.set(connection, fresh);
    return fresh;
  }

  return attachGraphQL(
    {
      schema,
      onSubscribe({ extra }, id, { query, operationName, variables }) {
        const settle = record({
          transport: 'websocket',
          query,
          operationName: operationName ?? null,
          variables: variables ?? {},
          headers: extra.request.headers,
        });
        operationsOf(extra).set(id, { abort: new AbortController(), settle });
      },
      context({ extra, connectionParams }, id) {
        const authorization = connectionParams?.authorization ?? extra.request.headers.authorization;
        const operation = operationsOf(extra).get(id);
        return createContext(authorization, operation?.abort.signal ?? AbortSignal.abort());
      },
      // Called at every end of an operation, including the end of its connection.
      onComplete({ extra }, id) {
        const operation = operationsOf(extra).get(id);
        operationsOf(extra).delete(id);
        operation?.abort.abort();
        operation?.settle('answered');
      },
    },
    new WebSocketServer({ server, path: '/ws' }),
  );
}
