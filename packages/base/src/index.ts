export * from './assert.ts';
export * from './brand.ts';
export * from './errors.ts';
export * from './seams.ts';
