/** The routes of a listener, to which features add theirs, and the reply of a route. */
export type { FastifyInstance as Routes, FastifyReply as RouteReply } from 'fastify';
