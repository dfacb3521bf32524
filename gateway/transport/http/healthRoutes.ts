import type { FastifyInstance } from 'fastify';
import type { SupergraphView } from '../../supergraph/supergraphHolder.ts';

/** A problem of the gateway, for operators and load balancers. */
export interface UnreadyReason {
  readonly code: string;
  readonly message: string;
}

export interface HealthOptions {
  readonly supergraphs: SupergraphView;
  readonly isShuttingDown: () => boolean;
  /** Further reasons why the gateway should get no requests. */
  readonly reasons: () => readonly UnreadyReason[];
  /** Problems despite which the gateway can serve requests. */
  readonly notes: () => readonly UnreadyReason[];
}

/** Adds `GET /health/live`, whether the process responds, with Apollo Server's URL for it, and `GET /health/ready`, whether
 *  it can serve operations or why not. Clients get the codes of the reasons: messages name internal addresses. */
export function addHealthRoutes(
  server: FastifyInstance,
  options: HealthOptions,
  audience: 'operators' | 'clients',
): void {
  const shown = (reasons: readonly UnreadyReason[]): readonly Partial<UnreadyReason>[] =>
    audience === 'operators' ? reasons : reasons.map(({ code }) => ({ code }));
  server.get('/health/live', async (_, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'live' }),
  );
  // Where Apollo Server 3 has it, with the same body: monitors of such a server need no change.
  server.get('/.well-known/apollo/server-health', async (_, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type('application/health+json; charset=utf-8')
      .send('{"status":"pass"}'),
  );
  server.get('/health/ready', async (_, reply) => {
    const reasons = unreadyReasonsOf(options);
    reply.header('cache-control', 'no-store');
    if (reasons.length > 0) return reply.code(503).send({ status: 'not ready', reasons: shown(reasons) });
    const notes = notesOf(options);
    return reply.send({
      status: 'ready',
      supergraph: options.supergraphs.current()?.id,
      ...(notes.length > 0 ? { notes: shown(notes) } : {}),
    });
  });
}

/** An old supergraph serves requests. Operators should see that new ones do not arrive, or are refused. */
function notesOf({ supergraphs, notes: further }: HealthOptions): UnreadyReason[] {
  const [refusal, sourceProblem] = [supergraphs.refusal(), supergraphs.sourceProblem()];
  const notes = [...further()];
  // The contract guard describes its refusals itself.
  if (refusal !== undefined && !notes.some(({ code }) => code === 'SUPERGRAPH_REFUSED'))
    notes.unshift({ code: 'SUPERGRAPH_REFUSED', message: refusal });
  if (sourceProblem !== undefined) notes.unshift({ code: 'SUPERGRAPH_NOT_UPDATED', message: sourceProblem });
  return notes;
}

function unreadyReasonsOf({ supergraphs, isShuttingDown, reasons: further }: HealthOptions): UnreadyReason[] {
  const reasons: UnreadyReason[] = [];
  if (supergraphs.current() === undefined) {
    reasons.push({
      code: 'SUPERGRAPH_UNAVAILABLE',
      message: supergraphs.problem() ?? 'No supergraph is loaded yet.',
    });
  }
  if (isShuttingDown()) reasons.push({ code: 'DRAINING', message: 'The gateway is shutting down.' });
  return [...reasons, ...further()];
}
