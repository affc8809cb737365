// scepter mdm: what an administrator pastes into an MDM or onto a device, so that it enrols at an endpoint.

import { Command } from 'commander';
import type { Io } from '../io.ts';
import { addAppleProfile } from './apple.ts';

export function mdmCommand(io: Io): Command {
  const mdm = new Command('mdm');
  addAppleProfile(mdm, io);
  return mdm;
}
