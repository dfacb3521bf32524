import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/** `start` is answered when profiling has begun, `stop` when the profile is in the file. */
export interface ProfileCommand {
  readonly profile: 'start' | 'stop';
  readonly file: string;
}

/** Profiles this process at the command of its parent. */
export function serveCpuProfiles(): void {
  const session = new Session();
  process.on('message', async (message: Partial<ProfileCommand>) => {
    if (message.profile === 'start') {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
    } else if (message.profile === 'stop') {
      const { profile } = await session.post('Profiler.stop');
      writeFileSync(message.file as string, JSON.stringify(profile));
      session.disconnect();
    } else return;
    process.send?.({});
  });
}
