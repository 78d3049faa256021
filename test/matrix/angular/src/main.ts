import { Component, provideZoneChangeDetection, signal } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import { ChatComponent } from './chat.component'

@Component({
  selector: 'app-root',
  imports: [ChatComponent],
  template: `
    @for (name of ['alice', 'bob']; track name) { <button (click)="users.set([name])">{{ name }}</button> }
    <button (click)="users.set([])">nobody</button>
    @for (user of users(); track user) { <app-chat [user]="user" [weavyUrl]="weavyUrl" /> }
  `,
})
class AppComponent {
  readonly weavyUrl = new URLSearchParams(location.search).get('weavy') ?? ''
  readonly users = signal<string[]>([])
}

bootstrapApplication(AppComponent, {
  providers: [provideZoneChangeDetection({ eventCoalescing: true })],
}).catch((error) => console.error(error))
