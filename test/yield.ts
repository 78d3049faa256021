import { setPriority } from 'node:os'

// The lowest but for what runs when nothing else does.
setPriority(15)
