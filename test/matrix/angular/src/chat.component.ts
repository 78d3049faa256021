import { Component, CUSTOM_ELEMENTS_SCHEMA, inject, input, type OnInit } from '@angular/core'
import { WeavyService } from './weavy.service'

@Component({
  selector: 'app-chat',
  schemas: [CUSTOM_ELEMENTS_SCHEMA],
  providers: [WeavyService],
  template: `
    @if (weavy.state().status === 'signed-out') { <p>Please sign in.</p> } @else { <wy-messenger></wy-messenger> }
    <p role="status">{{ weavy.state().status }}</p>
  `,
})
export class ChatComponent implements OnInit {
  readonly user = input.required<string>()
  readonly weavyUrl = input.required<string>()
  readonly weavy = inject(WeavyService)

  ngOnInit() {
    this.weavy.open(this.weavyUrl(), this.user())
  }
}
