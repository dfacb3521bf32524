import { HttpError } from '../admission/httpError.ts';
import { GatewayError, messageWithCause } from '../errors.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import type { JobAdmin, JobState } from './jobs/jobAdmin.ts';

interface JobsQuery {
  readonly Querystring: { readonly state?: unknown; readonly limit?: unknown };
}

const defaultLimit = 100;
const maxLimit = 1_000;

/** Adds `GET /jobs?state=…&limit=…` and `POST /jobs/:id/retry` to the admin listener: enrichment jobs that wait or have
 *  failed. */
export function addJobsRoute(server: Routes, jobs: JobAdmin): void {
  addRawBodyRoutes(server, retryUsage, (routes) => {
    routes.get<JobsQuery>('/jobs', async ({ query }, reply) => {
      const { state, limit = String(defaultLimit) } = query;
      if (state !== undefined && !isJobState(state)) {
        return sendProblem(reply, 400, `state is ${JSON.stringify(state)}; expected waiting or failed.`);
      }
      const count = typeof limit === 'string' && /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
      if (count < 1 || count > maxLimit) {
        return sendProblem(
          reply,
          400,
          `limit is ${JSON.stringify(limit)}; expected a number from 1 to ${maxLimit}.`,
        );
      }
      return { jobs: await rethrowAsHttpError(jobs.list({ state, limit: count })) };
    });

    routes.post<{ Params: { id: string } }>('/jobs/:id/retry', async ({ params }, reply) => {
      const { id } = params;
      switch (await rethrowAsHttpError(jobs.retry(id))) {
        case 'retried':
          return reply.code(202).send({ id, state: 'waiting' });
        case 'not failed':
          return sendProblem(
            reply,
            409,
            `Job ${id} has not failed: it is running, or waits for its next attempt.`,
          );
        case 'busy':
          return sendBusy(reply);
        default:
          return sendProblem(
            reply,
            404,
            `There is no job ${id}. GET /jobs?state=failed lists the jobs that can be retried. A failed job is deleted after enrichment.jobs.deadLetterRetention, or earlier if there are more than enrichment.jobs.maxDeadLetters, or if Redis was full and its maxmemory-policy is not noeviction.`,
          );
      }
    });
  });
}

const retryUsage = 'Send no body.';

function isJobState(state: unknown): state is JobState {
  return state === 'waiting' || state === 'failed';
}

async function rethrowAsHttpError<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new HttpError(error.status, messageWithCause(error));
  }
}

function sendBusy(reply: RouteReply): RouteReply {
  return sendProblem(
    reply,
    503,
    'This process has no room for another job (enrichment.jobs.maxPending, enrichment.jobs.maxPendingSize). The job is still a dead letter; try again later.',
  );
}
