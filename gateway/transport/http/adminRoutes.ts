import type { FastifyInstance } from 'fastify';
import { GraphQLError } from 'graphql';
import { GatewayError } from '../../errors.ts';
import type { SupergraphView } from '../../supergraph/supergraphHolder.ts';

interface AdminOptions {
  readonly supergraphs: SupergraphView;
  /** Returns the query plan of an operation as text. `overrides`: the progressive `@override` labels that are on.
   *  @throws {GatewayError|GraphQLError} for an operation that cannot be planned. */
  readonly explain: (operation: string, overrides: readonly string[]) => Promise<string>;
}

interface PlanQuery {
  readonly Querystring: { readonly operation?: unknown; readonly override?: unknown };
}

/** Adds `GET /supergraph`, the supergraph in use, the reason of the newest refusal and why the source cannot be read, and
 *  `GET /plan?operation=…`, a query plan, with `&override=…` for each label that is on. */
export function addAdminRoutes(server: FastifyInstance, { supergraphs, explain }: AdminOptions): void {
  let loadedAt = supergraphs.current() === undefined ? undefined : new Date();
  supergraphs.onChange(() => {
    loadedAt = new Date();
  });

  server.get('/supergraph', async () => {
    const supergraph = supergraphs.current();
    return {
      supergraph:
        supergraph === undefined
          ? null
          : {
              id: supergraph.id,
              loadedAt: loadedAt?.toISOString(),
              subgraphs: Array.from(supergraph.subgraphs.values(), ({ name, url }) => ({ name, url })),
              sdl: supergraph.sdl,
            },
      lastRefusal: supergraphs.refusal() ?? null,
      sourceProblem: supergraphs.sourceProblem() ?? null,
    };
  });

  server.get<PlanQuery>('/plan', async (request, reply) => {
    const { operation, override = [] } = request.query;
    if (typeof operation !== 'string' || operation === '') {
      return reply.code(400).send({
        error: 'The query parameter operation is missing: /plan?operation=… (URL-encoded GraphQL).',
      });
    }
    try {
      const plan = await explain(operation, [override].flat().map(String));
      return await reply.type('text/plain; charset=utf-8').send(plan);
    } catch (error) {
      if (!(error instanceof GatewayError) && !(error instanceof GraphQLError)) throw error;
      return reply
        .code(error instanceof GatewayError ? error.status : 400)
        .type('application/json; charset=utf-8')
        .send({ error: error.message });
    }
  });
}
