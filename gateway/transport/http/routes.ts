/** Where features add routes of a listener, and how such a route answers. */
export type { FastifyInstance as Routes, FastifyReply as RouteReply } from 'fastify';
