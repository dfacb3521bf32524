import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TrafficControl } from '../../admission/trafficControl.ts';
import { GraphQLExchange, type GraphQLExchangeOptions } from './graphqlExchange.ts';
import type { InFlightRequests } from './inFlightRequests.ts';

interface GraphQLRouteOptions extends GraphQLExchangeOptions {
  readonly holdBack: TrafficControl['holdBack'];
  readonly inFlight: InFlightRequests;
}

/** Creates the handler of the GraphQL route, which uses node:http without Fastify. */
export function createGraphQLRoute(
  options: GraphQLRouteOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const startedAt = performance.now();
    const inFlight = options.inFlight.register(request.socket, response);
    const waiting = mayWait(request) ? options.holdBack(claimOf(request)) : undefined;
    // A waiting request holds nothing else. `refusal`: the error to respond with.
    const handle = (refusal?: unknown): void => {
      void new GraphQLExchange(options, request, response, inFlight, startedAt).respond(refusal);
    };
    if (waiting === undefined) {
      handle();
      return;
    }
    const { signal } = inFlight;
    // Has no effect when the wait has ended.
    signal.addEventListener('abort', () => waiting.abort(signal.reason));
    waiting.turn.then(() => handle(signal.reason), handle);
  };
}

function mayWait({ method, url = '' }: IncomingMessage): boolean {
  // A GET without parameters loads a page.
  return method === 'POST' || (method === 'GET' && url.includes('?'));
}

function claimOf({ headers }: IncomingMessage): string | undefined {
  const claim = headers['tributary-priority'];
  return typeof claim === 'string' ? claim : undefined;
}
