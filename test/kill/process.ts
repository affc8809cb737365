// The parent's side of `child.ts`: orders, answers, and a service that is started again when it died.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { patiently } from '../support/process.ts';

export type Order =
  | { readonly do: 'arm'; readonly at?: number; readonly when: 'before' | 'after' }
  | { readonly do: 'calls' | 'bag' | 'sweep' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'challenge'; readonly endpoint: string }
  | { readonly do: 'operate'; readonly endpoint: string; readonly message: string }
  | { readonly do: 'decide'; readonly verdict: 'approved' | 'denied' }
  | { readonly do: 'revoke'; readonly serial: string };

export const died = Symbol('died');

export class Service {
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcessWithoutNullStreams | undefined;
  #lines: AsyncIterator<string> | undefined;
  /** How far its clock is ahead: a service that is started again is told. */
  #aheadMs = 0;
  #said = '';

  constructor(dataDir: string, config: object, env: Readonly<Record<string, string>>) {
    this.#args = [dataDir, JSON.stringify(config)];
    this.#env = env;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), ...this.#args], {
      env: { ...process.env, ...patiently, ...this.#env },
    });
    child.stderr.on('data', (data) => {
      this.#said += data;
    });
    child.stdin.on('error', () => {});
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    if ((await this.#answer()) !== 'ready') throw new Error(`no start: ${this.#said}`);
    if (this.#aheadMs > 0) await this.#tell({ do: 'pass', ms: this.#aheadMs });
  }

  /** @returns what it answers, or `died` when it was killed over it; then it has been started again */
  async order(order: Order): Promise<unknown> {
    const answer = await this.#tell(order);
    if (order.do === 'pass') this.#aheadMs += order.ms;
    if (answer !== died) return answer;
    const signal = this.#child?.signalCode;
    if (signal !== 'SIGKILL') throw new Error(`it ended by ${signal}: ${this.#said}`);
    await this.start();
    return died;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child?.once('close', resolve));
    this.#child?.stdin.end();
    await ended;
  }

  /** For a test that ends early: a service that is left running would keep its process. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  #tell(order: Order): Promise<unknown> {
    this.#child?.stdin.write(`${JSON.stringify(order)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<unknown> {
    const next = await this.#lines?.next();
    if (next && !next.done) return JSON.parse(next.value);
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('close', resolve));
    }
    return died;
  }
}
