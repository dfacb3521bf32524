interface ServerSentEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

/** Parses the events of a complete stream, without comments. */
export function readEvents(text: string): readonly ServerSentEvent[] {
  return text.split('\n\n').flatMap((block) => {
    const fields = new Map(
      block.split('\n').flatMap((line): [string, string][] => {
        const [, name, value = ''] = /^(\w+):? ?(.*)$/.exec(line) ?? [];
        return name === undefined ? [] : [[name, value]];
      }),
    );
    const data = fields.get('data');
    return data === undefined ? [] : [{ event: fields.get('event'), id: fields.get('id'), data }];
  });
}
