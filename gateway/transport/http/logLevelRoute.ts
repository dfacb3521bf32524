import { HttpError } from '../../admission/httpError.ts';
import { findNearestName } from '../../config/findNearestName.ts';
import { type LogLevel, type LogLevelChange, logLevels } from '../../telemetry/logLevel.ts';
import { addRawBodyRoutes } from './rawBodyRoutes.ts';
import { isJsonContentType, readJsonBody } from './readBody.ts';
import type { Routes } from './routes.ts';

const usage =
  'Send {"level":"debug"}, with "forSeconds":600 to reset it after a time, and the header content-type: application/json.';

/** Adds `GET /log-level` and `PUT /log-level`. */
export function addLogLevelRoute(server: Routes, logLevel: LogLevel): void {
  addRawBodyRoutes(server, usage, (routes) => {
    routes.get('/log-level', async () => logLevel.state);
    routes.put('/log-level', async ({ raw }) => {
      // Prevents CSRF: a page of another site can make a browser send a form or plain text, but not JSON.
      if (!isJsonContentType(raw.headers['content-type'])) throw new HttpError(415, usage);
      await logLevel.change(readChange(await readJsonBody(raw, maxBodySize)));
      return logLevel.state;
    });
  });
}

const maxBodySize = 1_024;
/** The longest time of a timer: 24 days. */
const maxSeconds = 24 * 24 * 3_600;

/** @throws {HttpError} 400 for anything else than a change. */
function readChange(body: unknown): LogLevelChange {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new HttpError(400, usage);
  const { level, forSeconds, ...others } = body as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new HttpError(400, `"${unknown}" is unknown. ${usage}`);
  if (!isLevel(level)) {
    const nearest = typeof level === 'string' ? findNearestName(level, logLevels) : undefined;
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    throw new HttpError(
      400,
      `level is ${JSON.stringify(level) ?? 'missing'}; expected one of ${logLevels.join(', ')}.${hint}`,
    );
  }
  if (forSeconds === undefined) return { level };
  if (typeof forSeconds !== 'number' || !(forSeconds > 0 && forSeconds <= maxSeconds)) {
    throw new HttpError(
      400,
      `forSeconds is ${JSON.stringify(forSeconds)}; expected a number of seconds above 0, at most ${maxSeconds}.`,
    );
  }
  return { level, forSeconds };
}

function isLevel(value: unknown): value is LogLevelChange['level'] {
  return logLevels.some((level) => level === value);
}
