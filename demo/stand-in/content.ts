/** Weavy's fixed ids of the kinds of app that hold messages. */
export const APP_TYPES = {
  chat: 'd65dd4bc-418e-403c-9f56-f9cf4da931ed',
  comments: '88f96a08-c6c1-4eac-a0bd-5bf8fba1a3fd',
  files: '523edd88-4bbf-4547-b60f-2859a6d2ddc1',
  posts: '5ebfa152-de85-48da-82dd-30a1b560c313',
  chat_room: 'edb400ac-839b-45a7-b2a8-6a01820d1c44',
  private_chat: '7e14f418-8f15-46f4-b182-f619b671e470',
} as const

export interface User {
  id: number
  uid: string
  name: string
  profile: Record<string, unknown>
  createdAt: Date
}

export interface Blob {
  id: number
  name: string
  mediaType: string
  size: number
  createdAt: Date
}

export interface Message {
  id: number
  text: string
  createdBy: User
  createdAt: Date
  attachments: Blob[]
  reactions: Map<User, string>
}

export interface Conversation {
  id: number
  uid?: string
  type: string
  name: string
  createdAt: Date
  /** Each member with the id of the last message that was read. */
  members: Map<User, number>
  starredBy: Set<User>
  pinnedBy: Set<User>
  messages: Message[]
}

export interface Content {
  readonly conversations: ReadonlyMap<number, Conversation>
  readonly blobs: ReadonlyMap<number, Blob>
  readonly users: ReadonlyMap<string, User>
  /** Creates a user who finds a shared and two private conversations, or changes an existing one's profile. */
  saveUser(uid: string, profile?: Record<string, unknown>): User
  addConversation(type: string, members: User[], details?: { name?: string; uid?: string }): Conversation
  addMessage(conversation: Conversation, createdBy: User, text: string, attachments?: Blob[]): Message
  addBlob(name: string, mediaType: string, size: number): Blob
}

/** Everything that the environment stores: users, conversations with their messages, uploaded blobs. */
export function createContent(): Content {
  const users = new Map<string, User>()
  const conversations = new Map<number, Conversation>()
  const blobs = new Map<number, Blob>()
  let lastId = 0

  function upsert(uid: string, profile: Record<string, unknown> = {}): User {
    const user = users.get(uid) ?? { id: ++lastId, uid, name: uid, profile: {}, createdAt: new Date() }
    user.profile = { ...user.profile, ...profile }
    if (typeof user.profile.name === 'string') user.name = user.profile.name
    users.set(uid, user)
    return user
  }

  const addConversation: Content['addConversation'] = (type, members, { name = '', uid } = {}) => {
    const conversation: Conversation = {
      id: ++lastId,
      ...(uid !== undefined && { uid }),
      type,
      name,
      createdAt: new Date(),
      members: new Map(members.map((member) => [member, 0])),
      starredBy: new Set(),
      pinnedBy: new Set(),
      messages: [],
    }
    conversations.set(conversation.id, conversation)
    return conversation
  }

  const addMessage: Content['addMessage'] = (conversation, createdBy, text, attachments = []) => {
    const message = {
      id: ++lastId,
      text,
      createdBy,
      createdAt: new Date(),
      attachments,
      reactions: new Map(),
    }
    conversation.messages.push(message)
    conversation.members.set(createdBy, message.id)
    return message
  }

  const robin = upsert('robin', { name: 'Robin Vega' })
  const sam = upsert('sam', { name: 'Sam Lind' })
  const crew = addConversation(APP_TYPES.chat_room, [robin, sam], { name: 'Launch crew' })
  addMessage(crew, robin, 'Morning! The release is planned for noon.')
  addMessage(crew, sam, 'The checklist is done, only the changelog is missing.')
  addMessage(crew, robin, 'I take the changelog.')

  function welcome(user: User) {
    const withSam = addConversation(APP_TYPES.private_chat, [user, sam])
    addMessage(withSam, sam, `Welcome, ${user.name}! Nobody but you can read this.`)
    const withRobin = addConversation(APP_TYPES.private_chat, [user, robin])
    addMessage(withRobin, robin, `Hi ${user.name}, can you look at the numbers today?`)
    addMessage(withRobin, user, 'Sure, right after lunch.')
    addMessage(withRobin, robin, `Thanks, ${user.name}. This stays between us.`)
    crew.members.set(user, 0)
  }

  return {
    users,
    conversations,
    blobs,
    saveUser(uid, profile) {
      const isNew = !users.has(uid)
      const user = upsert(uid, profile)
      if (isNew) welcome(user)
      return user
    },
    addConversation,
    addMessage,
    addBlob(name, mediaType, size) {
      const blob = { id: ++lastId, name, mediaType, size, createdAt: new Date() }
      blobs.set(blob.id, blob)
      return blob
    },
  }
}
