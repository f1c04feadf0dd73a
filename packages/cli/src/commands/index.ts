import type { Command } from 'commander';
import { chunksCommand, fsckCommand, statusCommand } from './cluster.ts';
import { duCommand, findCommand } from './find.ts';
import { getCommand } from './get.ts';
import { checksumCommand, lsCommand, statCommand } from './list.ts';
import {
  appendCommand,
  cpCommand,
  mkdirCommand,
  mvCommand,
  rmCommand,
  touchCommand,
  truncateCommand,
} from './namespace.ts';
import { putCommand } from './put.ts';
import { catCommand, headCommand, tailCommand } from './read.ts';

/** The commands of users, in the order in which help lists them. */
export function userCommands(): Command[] {
  return [
    putCommand(),
    getCommand(),
    catCommand(),
    headCommand(),
    tailCommand(),
    appendCommand(),
    lsCommand(),
    mkdirCommand(),
    rmCommand(),
    mvCommand(),
    cpCommand(),
    touchCommand(),
    truncateCommand(),
    statCommand(),
    duCommand(),
    findCommand(),
    checksumCommand(),
    statusCommand(),
    chunksCommand(),
    fsckCommand(),
  ];
}
